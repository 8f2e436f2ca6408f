"""A dataset folder where commands, worker and notebooks ask for a model."""

import time

from shapes import NAMES, SPACING, add_shape, errors_mm, shape_image

import landmark_heatmap as lh
from landmark_heatmap import cli
from landmark_heatmap.images.imageio import write_image
from landmark_heatmap.worker.client import Cancelled, Finished, WorkerClient


def test_the_command_detects_with_a_dataset_and_keeps_what_is_done(tmp_path, capsys):
    add_shape(tmp_path / "shapes", "one")
    write_image(tmp_path / "new.nrrd", shape_image(bend=2)[0])
    words = ["detect", tmp_path / "new.nrrd", "--model", tmp_path / "shapes", "--output"]
    words = [*map(str, words), str(tmp_path / "found")]
    assert cli.main(words) == 0
    assert (tmp_path / "found" / "new.mrk.json").is_file()
    assert cli.main(words) == 0
    assert "done before" in capsys.readouterr().out
    # With one case more it is another model, whose results are not mixed with these.
    add_shape(tmp_path / "shapes", "two", bend=4)
    assert cli.main(words) == 2
    assert cli.main([*words, "--overwrite"]) == 0


def test_the_command_describes_a_dataset(tmp_path, capsys):
    add_shape(tmp_path / "shapes", "one")
    assert cli.main(["describe", str(tmp_path / "shapes")]) == 0
    said = capsys.readouterr().out
    assert "Registered: shapes" in said
    assert all(name in said for name in NAMES)


def test_a_notebook_detects_with_a_dataset(tmp_path):
    add_shape(tmp_path / "shapes", "one")
    image, positions = shape_image(shift=(4, 0, 0))
    prediction = lh.detect(image, tmp_path / "shapes")
    assert errors_mm(prediction, positions).max() < 1.5 * SPACING


def test_the_worker_registers_notices_a_new_case_and_can_be_cancelled(tmp_path):
    add_shape(tmp_path / "shapes", "one")
    image, positions = shape_image(shift=(4, 0, 0))
    client = WorkerClient()
    try:
        client.detect(image, tmp_path / "shapes")
        finished, told = _last(client)
        assert isinstance(finished, Finished), finished
        assert errors_mm(finished.prediction, positions).max() < 1.5 * SPACING
        assert finished.prediction.model.version == "1 case"
        assert "no PyTorch" in finished.device_note
        assert "Registering case 1 of 1" in told
        add_shape(tmp_path / "shapes", "two", bend=3)
        client.detect(image, tmp_path / "shapes")
        assert _last(client)[0].prediction.model.version == "2 cases"
        client.detect(image, tmp_path / "shapes")
        while not any("Registering" in stage for stage in _stages(client.poll())):
            time.sleep(0.01)
        client.cancel()
        assert isinstance(_last(client)[0], Cancelled)
    finally:
        client.close()


def _last(client):
    """(how it ended, the stages that were told)."""
    told = []
    while True:
        events = client.poll()
        told += _stages(events)
        for event in events:
            if not hasattr(event, "stage"):
                return event, told
        time.sleep(0.01)


def _stages(events):
    return [event.stage for event in events if hasattr(event, "stage")]
