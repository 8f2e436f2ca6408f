"""evaluate says when nothing was compared, which names nearly agree, and small errors in full."""

import json

import numpy as np

from landmark_heatmap import cli
from landmark_heatmap.annotation.annotation_files import write_annotation
from landmark_heatmap.annotation.landmarks import Annotation, Point, PointState


def markups(path, status, *positions, names="ABC"):
    points = [
        {"label": name, "position": list(map(float, p)), "positionStatus": status}
        for name, p in zip(names, positions)
    ]
    markup = {"type": "Fiducial", "coordinateSystem": "LPS", "controlPoints": points}
    path.write_text(json.dumps({"markups": [markup]}))
    return str(path)


def test_previews_with_positions_are_compared_and_told(tmp_path, capsys):
    positions = np.array([[6, 12, 8], [12, 9, 14], [7, 13, 15]])
    predicted = markups(tmp_path / "p.mrk.json", "preview", *(positions + 1))
    reference = markups(tmp_path / "r.mrk.json", "defined", *positions)
    assert cli.main(["evaluate", predicted, reference]) == 0
    out = capsys.readouterr().out
    assert "All         1.73" in out
    assert "Predictions: Read as placed: 'preview' with a position (3)." in out


def test_nothing_compared_is_no_success_and_names_that_nearly_agree_are_told(tmp_path, capsys):
    predicted = markups(tmp_path / "p.mrk.json", "defined", (1, 2, 3), names=["nasion "])
    reference = markups(tmp_path / "r.mrk.json", "defined", (1, 2, 3), names=["Nasion"])
    assert cli.main(["evaluate", predicted, reference]) == 1
    captured = capsys.readouterr()
    assert "Names that do not agree: 'Nasion' may be 'nasion '." in captured.out
    assert captured.err == "Nothing was compared: no landmark has both positions.\n"


def test_cases_whose_names_nearly_agree_are_told(tmp_path, capsys):
    for folder, name in (("p", "Case-1"), ("r", "case_1")):
        (tmp_path / folder).mkdir()
        markups(tmp_path / folder / f"{name}.mrk.json", "defined", (1, 2, 3))
    assert cli.main(["evaluate", str(tmp_path / "p"), str(tmp_path / "r")]) == 2
    assert "'case_1' may be 'Case-1'" in capsys.readouterr().err


def test_errors_of_a_micro_ct_are_told_with_their_digits(tmp_path, capsys):
    rng = np.random.default_rng(0)
    for folder in ("p", "r"):
        (tmp_path / folder).mkdir()
    for case in range(4):
        positions = rng.uniform(0, 1.5, (3, 3))
        for folder, moved in (("r", 0), ("p", 0.0018)):
            points = {
                n: Point(PointState.PLACED, tuple(p + moved)) for n, p in zip("ABC", positions)
            }
            write_annotation(tmp_path / folder / f"{case}.mrk.json", Annotation(points))
    assert cli.main(["evaluate", str(tmp_path / "p"), str(tmp_path / "r")]) == 0
    header, _, first, *_ = capsys.readouterr().out.splitlines()
    assert first.split()[1] == "0.00312"
    assert "<= 0.002 mm  <= 0.005 mm" in header
