"""Parts of the panel that can be asked by themselves: commands, numbers, words, settings."""

import shlex

import pytest

from landmark_heatmap.errors import AnnotationError
from landmark_heatmap.model.shipped import shipped_models


@pytest.fixture
def parts(module):
    """The panel's own files; they can be imported only where there is a qt."""
    from LandmarkHeatmapPanel import texts
    from LandmarkHeatmapPanel.models import ModelList
    from LandmarkHeatmapPanel.reviewing import keys
    from LandmarkHeatmapPanel.section import Signal
    from LandmarkHeatmapPanel.sections import comparison as compare_section
    from LandmarkHeatmapPanel.sections import export as export_section
    from LandmarkHeatmapPanel.sections import inputs as models

    return {
        "command": export_section.retraining_command,
        "thresholds": compare_section.thresholds_in,
        "describe": models.describe,
        "list": ModelList(),
        "keys": keys.SHORTCUTS,
        "signal": Signal(),
        "wrapped": texts.wrapped,
        "metric": models.metric_name,
    }


def test_the_command_survives_spaces_and_quotes_in_a_shell(parts):
    command = parts["command"]("/data/Anna's hips", "/models/my hip.safetensors", windows=False)
    assert shlex.split(command) == [
        *("landmark-train", "fit", "--data", "/data/Anna's hips"),
        *("--from", "/models/my hip.safetensors", "--output", "/data/Anna's hips-run"),
    ]


def test_the_command_names_a_model_that_comes_along(parts):
    shipped = shipped_models()["synthetic_hip"]
    command = parts["command"]("/data/hips", shipped, windows=False)
    assert "--from synthetic_hip " in command
    # A user's own of the same name is another.
    assert "--from /mine/synthetic_hip" in parts["command"](
        "/data", f"/mine/{shipped.name}", windows=False
    )


def test_the_command_is_quoted_as_windows_reads_it(parts):
    command = parts["command"]("D/my hips", windows=True)
    assert '--data "D' in command
    assert "'" not in command


@pytest.mark.parametrize("text", ["2 2.5 3", "2; 2.5;3"])
def test_thresholds_are_numbers_with_something_between(parts, text):
    assert parts["thresholds"](text) == (2.0, 2.5, 3.0)


@pytest.mark.parametrize("text", ["", "two", "2 -1", "0"])
def test_other_thresholds_are_refused_with_an_example(parts, text):
    with pytest.raises(AnnotationError, match="such as"):
        parts["thresholds"](text)


def test_a_model_is_described_with_its_landmarks_training_and_errors(parts):
    (_key, _path, description), *_others = parts["list"].all()
    text = parts["describe"](description)
    for mark in description.landmarks.landmarks:
        assert mark.name in text
    assert "200 cases" in text
    assert "2.03" in text


def test_a_model_is_read_once_until_its_file_changes(parts):
    first, again = parts["list"].all(), parts["list"].all()
    assert first[0][2] is again[0][2]


def test_no_key_is_one_of_slicers_and_none_is_given_twice(parts):
    slicers = {*"BFGRTVPL0123456789[]{}+-", "Ctrl+Z", "Ctrl+Y", "Del", "Backspace", "Space"}
    keys = list(parts["keys"].values())
    assert len(set(keys)) == len(keys)
    assert set(keys) & slicers == set()


def test_a_signal_calls_all_who_are_connected_in_their_order(parts):
    heard = []
    parts["signal"].connect(lambda what, why: heard.append((1, what, why)))
    parts["signal"].connect(lambda what, why: heard.append((2, what, why)))
    parts["signal"].emit("cpu", "no GPU")
    assert heard == [(1, "cpu", "no GPU"), (2, "cpu", "no GPU")]


@pytest.mark.parametrize(
    ("text", "lines", "expected"),
    [
        ("short", 1, ["short"]),
        ("", 2, []),
        ("one two three", 2, ["one two", "three"]),
        ("one two three fourteen", 2, ["one two", "three fou…"]),
        ("/a/path/without/any/end", 2, ["/a/path/wi", "thout/any…"]),
        ("several   blanks\nand lines", 3, ["several", "blanks and", "lines"]),
    ],
)
def test_a_text_is_laid_out_in_lines_of_a_width_and_no_more(parts, text, lines, expected):
    assert parts["wrapped"](text, lines, 10, len) == expected


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("validation_mre_mm", "Validation mean radial error (mm)"),
        ("mre_px", "Mean radial error (pixels)"),
        ("cases", "Cases"),
    ],
)
def test_metrics_are_told_in_words(parts, key, name):
    assert parts["metric"](key) == name
