"""Pictures of how a run goes, for those who look at it from elsewhere."""

from __future__ import annotations

from landmark_heatmap.files import replacing
from landmark_heatmap.runs.live import CASES, CURVE

from ..judging.runs import progress_of
from ..progress import folder_of_pictures


def show(run, task, unit: str) -> None:
    """Draw the error's curve and what was found in the held-out cases at the last validation.

    run: its folder. task: as of Run. Nothing is drawn where nobody looks, or without matplotlib.
    """
    folder = folder_of_pictures()
    if folder is None:
        return
    try:
        from ..judging.charts import error_curve
        from ..judging.live_pictures import held_out_picture
    except ImportError:
        return
    names = task.writer.landmarks.names
    for name, draw in (
        (CURVE, lambda: error_curve(progress_of(run), unit)),
        (CASES, lambda: held_out_picture(task.held_out, task.seen, names)),
    ):
        try:
            with replacing(folder / name) as temporary:
                temporary.write_bytes(draw())
        except Exception as error:
            # A picture is no reason to end a training, whatever is wrong with it.
            print(f"'{folder / name}' cannot be drawn: {error}")
