"""The worker's side: python server.py FOLDER, started by the client. See protocol.py."""

from __future__ import annotations

import os
import queue
import shutil
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

if __package__ in (None, ""):  # run by its path; the package is two folders up
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from landmark_heatmap import heap
from landmark_heatmap.errors import LandmarkHeatmapError, PredictionError
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.registering.stamp import stamp
from landmark_heatmap.worker import arrays, protocol

# More jobs than any client asks for ahead: it does not wait for answers, and is no client of ours.
_MOST_WAITING = 100
# How the process ends: its client went; it was not understood; something broke; by a signal.
_GONE, _NOT_UNDERSTOOD, _BROKEN, _BY_SIGNAL = 0, 2, 1, 128
_REMOVING_SECONDS = 2.0
# The worker's share of a job that is getting ready: loading torch and the model.
_LOADED = 0.15


class _CancelledError(Exception):
    """Raised inside a job that the client does not want any more."""


class Server:
    """Does one job after another. make_predictor(model_path, device): something with `predict`, or
    None for Predictor."""

    def __init__(self, folder: Path, output, make_predictor=None):
        self.folder, self.output = folder, output
        self.make_predictor = make_predictor or _predictor
        self.loaded, self.kept, self.threads = {}, None, None
        self.waiting = queue.Queue(_MOST_WAITING)
        self.unwanted = set()
        self._speaking = threading.Lock()

    def serve(self) -> None:
        """Until the client closes its end; then the process is over."""
        threading.Thread(target=self._listen, daemon=True).start()
        self._say("ready", version=protocol.VERSION)
        while True:
            self._do(self.waiting.get())

    def _listen(self) -> None:
        """Beside the work, so that a job can be cancelled, and the client's end is noticed at once.

        Whatever stops the listening ends the process: nobody could reach it any more.
        """
        code = _BROKEN
        try:
            while self._hear(sys.stdin.buffer.readline(protocol.LONGEST_REQUEST + 1)):
                pass
            code = _GONE
        except protocol.ProtocolError as error:
            code = _NOT_UNDERSTOOD
            print(f"The client cannot be understood: {error}", file=sys.stderr)
        except BrokenPipeError:
            code = _GONE
        except Exception:
            traceback.print_exc()
        finally:
            leave(self.folder, code)

    def _hear(self, line: bytes) -> bool:
        """Whether there may be more after this line. ProtocolError if it is no request."""
        if not line.endswith(b"\n"):
            if len(line) > protocol.LONGEST_REQUEST:
                raise protocol.ProtocolError(f"a line of more than {len(line) - 1} bytes")
            return False  # the client is gone, perhaps in the middle of a line
        try:
            request = protocol.read_request(line)
        except protocol.ProtocolError as error:
            if error.job is None:
                raise
            text = f"The request cannot be understood: {error}."
            self._say("failed", job=error.job, text=text, details="")
            return True
        if request["message"] == "cancel":
            self.unwanted.add(request["job"])
        else:
            self.waiting.put_nowait(request)
        return True

    def _say(self, message: str, **content) -> None:
        with self._speaking:
            self.output.write(protocol.line_of(message, **content))
            self.output.flush()

    def _do(self, request: dict) -> None:
        job = request["job"]
        try:
            if request["message"] == "propose":
                self._say("proposed", job=job, **self._proposed(request))
            else:
                self._say("finished", job=job, **self._detected(request))
        except _CancelledError:
            self._say("cancelled", job=job)
        except LandmarkHeatmapError as error:
            self._say("failed", job=job, text=str(error) or type(error).__name__, details="")
        except ImportError as error:
            text = f"Detection needs a Python package that is not installed: {error}."
            self._say("failed", job=job, text=text, details=traceback.format_exc())
        # Anything else is a fault of ours or of a library: the next job may well succeed.
        except Exception as error:
            text = f"The detection failed: {type(error).__name__}: {error}"
            self._say("failed", job=job, text=text, details=traceback.format_exc())
        finally:
            self.unwanted.discard(job)
            if request["message"] != "propose":
                # The next image may come in an hour.
                heap.give_back()

    def _detected(self, request: dict) -> dict:
        job, start = request["job"], time.monotonic()
        # What was kept of the last image is memory for this one.
        self.kept = None

        def progress(stage, fraction):
            if job in self.unwanted:
                raise _CancelledError
            self._say("progress", job=job, stage=stage, fraction=fraction)

        progress("Loading the model", 0.0)
        predictor, note = self._loaded(request["model"], request["device"])
        self._fit_threads(predictor)
        ready = time.monotonic()

        def on_predicting(stage, fraction):
            progress(stage, _LOADED + (1 - _LOADED) * fraction)

        image = arrays.mapped(request["image"], self.folder)
        prediction, predictor, note = self._predicted(
            predictor, note, request, image, on_predicting
        )
        done = time.monotonic()
        document = arrays.prediction_to_json(prediction, self.folder / f"result-{job}")
        return {
            "prediction": document,
            "device": str(getattr(predictor, "device", "cpu")),
            "note": note,
            "seconds": {"loading": ready - start, "predicting": done - ready},
        }

    def _proposed(self, request: dict) -> dict:
        job, start = request["job"], time.monotonic()
        if job in self.unwanted:
            raise _CancelledError
        number, kept = self.kept or (None, None)
        if number != request["of"]:
            raise PredictionError(
                "The image is not the last one that was detected: detect it again."
            )
        proposals = kept.proposals(request["given"], request["new"], request["absent"])
        document = arrays.proposals_to_json(proposals, self.folder / f"result-{job}")
        return {"proposals": document, "seconds": {"proposing": time.monotonic() - start}}

    def _predicted(self, predictor, note, request, image: Image, progress) -> tuple:
        """(prediction, the predictor that made it, note): on the processor if the GPU is too small."""

        def keep(kept):
            self.kept = request["job"], kept

        try:
            prediction = predictor.predict(image, progress, keep)
            return prediction, predictor, getattr(predictor, "note", "") or note
        except LandmarkHeatmapError as error:
            if not _is_lack_of_gpu_memory(error):
                raise
        self.loaded, self.kept = {}, None  # frees what is left there
        predictor, _ = self._loaded(request["model"], "cpu")
        note = "The GPU's memory is too small for this image: computed on the processor."
        return predictor.predict(image, progress, keep), predictor, note

    def _fit_threads(self, predictor) -> None:
        """As many as the machine has free: other programs may have come or gone."""
        if "torch" not in sys.modules or str(getattr(predictor, "device", "")) != "cpu":
            return
        from landmark_heatmap.detection.threads import Threads

        self.threads = self.threads or Threads()
        self.threads.fit()

    def _loaded(self, model: str, device: str) -> tuple:
        """(predictor, which device it took and why). The last one stays, unless its files changed."""
        key = (model, device, stamp(model))
        if key not in self.loaded:
            self.loaded = {}
            predictor = self.make_predictor(model, device)
            self.loaded = {key: (predictor, _why(predictor, device))}
        return self.loaded[key]


def _predictor(model: str, device: str):
    from landmark_heatmap.registering import models

    return models.load(model, device)


def _why(predictor, wanted: str) -> str:
    if getattr(predictor, "why", ""):
        return predictor.why
    device = str(getattr(predictor, "device", "cpu"))
    if wanted != "auto":
        return ""
    if device == "cpu":
        return "Computed on the processor: there is no GPU that torch can use."
    if not device.startswith("cuda"):
        return f"Computed on the GPU ({device})."
    import torch

    return f"Computed on the GPU, {torch.cuda.get_device_name(device)}."


def _is_lack_of_gpu_memory(error) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(error.__cause__, torch.cuda.OutOfMemoryError)


def leave(folder: Path, code: int) -> None:
    """End the process at once, whatever else it is doing, and take the folder along."""
    try:
        end = time.monotonic() + _REMOVING_SECONDS
        # Work that is under way in another thread may just be adding a file.
        while folder.exists() and time.monotonic() < end:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os._exit(code)


def _leave_on_signals(folder: Path) -> None:
    """Take the folder along when the process is asked to end, also in the middle of a network."""
    if os.name == "nt":
        return  # there are none but such as end a process at once
    asked = {signal.SIGTERM, signal.SIGHUP, signal.SIGINT}
    # Blocked here, and in all threads to come, they wait for the one that asks for them.
    signal.pthread_sigmask(signal.SIG_BLOCK, asked)
    waiting = threading.Thread(
        target=lambda: leave(folder, _BY_SIGNAL + signal.sigwait(asked)), daemon=True
    )
    waiting.start()


def main(arguments=None, make_predictor=None) -> None:
    """Serve one client. Does not return: the process and the folder end together."""
    folder = Path((sys.argv[1:] if arguments is None else arguments)[0])
    code = _BROKEN
    try:
        heap.keep_freed_memory()
        _leave_on_signals(folder)
        # Standard output is the client's; whatever prints gets standard error instead.
        output = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        # Line by line: what is still in a buffer dies with a worker that is killed.
        sys.stdout.reconfigure(line_buffering=True)
        Server(folder, output, make_predictor).serve()
    except BrokenPipeError:
        code = _GONE
    except BaseException:
        traceback.print_exc()
    finally:
        leave(folder, code)


if __name__ == "__main__":
    main()
