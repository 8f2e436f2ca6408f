"""What to begin the next case with: the cases, a network, or both."""

import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from shapes import LANDMARKS, NAMES, add_shape, annotated, shape_image

from landmark_heatmap.annotation.annotation_files import write_annotation
from landmark_heatmap.annotation.landmarks import Annotation
from landmark_heatmap.images.identity import image_id
from landmark_heatmap.images.imageio import write_image
from landmark_heatmap.model.description import ModelIdentity
from landmark_heatmap.registering.start_file import read_start, start_beside
from landmark_heatmap.registering.trust import Trust

pytest.importorskip("torch")

from landmark_heatmap.registering.registrar import RegisteredStart
from landmark_heatmap.runs.starts import StartsQuestion
from landmark_training import cli
from landmark_training import starts as starts_module
from landmark_training.commands.starting import document_of
from landmark_training.data.cases import find_cases
from landmark_training.starts import BOTH, NETWORK, REGISTERED, starts, told


@pytest.fixture
def dataset(tmp_path):
    for number, bend in enumerate((0, 2, 4)):
        add_shape(tmp_path / "shapes", f"case-{number}", bend=bend)
    return tmp_path / "shapes"


class Off:
    """Stands for a network that is off by so many mm along x, and says so."""

    def __init__(self, cases, mm):
        self.cases, self.mm = cases, mm
        self.model = self.cases.atlas
        self.description = self.cases.description

    def predict(self, image, progress=None, keep=None):
        found = self.cases.predict(image)
        truth = {image_id(image): at for image, at in map(shape, (0, 2, 4))}
        at = truth[image_id(image)]
        points = tuple(
            replace(
                point,
                position_lps=np.array(at[point.name]) + [self.mm, 0, 0],
                doubt=replace(point.doubt, expected_mm=abs(self.mm) + 0.1),
            )
            for point in found.points
        )
        return replace(found, points=points)


def shape(bend):
    return shape_image(bend=bend)


def with_network(monkeypatch, dataset, mm):
    network = Off(RegisteredStart(dataset), mm)
    monkeypatch.setattr(
        starts_module, "_network", lambda path, device, atlas, cases: (network, atlas.cases, [])
    )
    return starts(dataset, "a.safetensors")


def test_each_case_is_left_out_and_the_others_are_laid_over_it(dataset):
    found = starts(dataset)
    (start,) = found.starts
    assert start.name == REGISTERED
    assert [case.name for case in start.evaluation.cases] == ["case-0", "case-1", "case-2"]
    # None was registered to itself, which would leave next to nothing.
    assert 0.1 < start.evaluation.overall.mean_mm.value < 4
    assert "Each case left out in turn, of 3" in told(found)


def test_one_case_cannot_be_left_out_and_that_is_said(tmp_path):
    add_shape(tmp_path / "shapes", "one")
    assert "annotate a second one" in told(starts(tmp_path / "shapes"))


def test_a_network_that_is_better_has_overtaken_the_cases_and_a_bad_one_has_not(
    dataset, monkeypatch
):
    good = with_network(monkeypatch, dataset, 0.0)
    errors = {start.name: start.evaluation.overall.mean_mm.value for start in good.starts}
    assert errors[NETWORK] < errors[BOTH] < errors[REGISTERED]
    assert good.best.name == NETWORK
    bad = with_network(monkeypatch, dataset, 30.0)
    errors = {start.name: start.evaluation.overall.mean_mm.value for start in bad.starts}
    assert errors[NETWORK] == pytest.approx(30)
    assert errors[BOTH] < 0.1 * errors[NETWORK]
    # Three cases can never tell, whichever way it comes out.
    assert "cannot be told" in bad.advice
    assert "so few cases can never tell" in told(bad)


def test_a_network_that_has_seen_all_cases_is_not_asked(dataset, monkeypatch):
    def known(path, description):
        return {f"case-{n}" for n in range(3)}, set(), []

    monkeypatch.setattr(starts_module, "known_to", known)
    monkeypatch.setattr(
        "landmark_heatmap.detection.predict.Predictor", lambda *a: Off(RegisteredStart(dataset), 0)
    )
    found = starts(dataset, "a.safetensors")
    assert [start.name for start in found.starts] == [REGISTERED]
    assert "has seen all 3 cases" in told(found)


def test_the_command_tells_it(dataset, capsys):
    assert cli.main(["starts", str(dataset)]) == 0
    assert "the cases, registered" in capsys.readouterr().out
    words = ["starts", str(dataset), "--write", str(dataset.parent / "both.start.json")]
    assert cli.main(words) == 2
    assert "--write needs --model" in capsys.readouterr().err


def test_the_panel_reads_what_the_command_found(dataset):
    question = StartsQuestion(dataset)
    try:
        while (found := question.poll()) is None:
            time.sleep(0.05)
    finally:
        question.close()
    (reached,) = found.ways
    assert (found.cases, reached.cases, reached.way, found.best) == (3, 3, *("registered",) * 2)
    assert 0 < reached.median < 4 and reached.seconds > 0 and reached.unit == "mm"
    assert found.advice == ()  # there is nothing to choose between


def test_of_a_network_the_sentence_and_the_advice_are_told_as_well(dataset, monkeypatch):
    document = document_of(with_network(monkeypatch, dataset, 0.0))
    assert [start["way"] for start in document["starts"]] == ["registered", "network", "both"]
    assert document["best"] == "network"
    sentence, advice = document["advice"]
    assert "so few cases can never tell" in sentence and "begin the next case so" in advice


def test_a_file_beside_the_dataset_names_both_and_is_made_once(dataset, tmp_path):
    (tmp_path / f"{dataset.name}-both.start.json").write_text("{}", encoding="utf-8")
    path = start_beside(dataset, "synthetic_hip")
    assert path.name == f"{dataset.name}-both-2.start.json"
    assert start_beside(dataset, "synthetic_hip") == path
    trust = Trust(1.5, 0.8, 12)
    assert read_start(start_beside(dataset, "synthetic_hip", trust)).trust == trust
    assert start_beside(dataset, "synthetic_hip", trust).name.endswith("-both-3.start.json")
    assert start_beside(dataset, "mouse_skull").name == f"{dataset.name}-both-4.start.json"


def test_the_command_writes_a_file_that_names_both(dataset, capsys, monkeypatch):
    monkeypatch.setattr(
        starts_module, "_network", lambda path, device, atlas, cases: (None, atlas.cases, [])
    )
    path = dataset.parent / "both.start.json"
    words = ["starts", str(dataset), "--model", "synthetic_hip", "--write", str(path)]
    assert cli.main(words) == 0
    assert read_start(path).dataset == dataset
    # So much is known before any case was looked at.
    monkeypatch.setattr(starts_module, "starts", None)
    assert cli.main(words) == 2
    assert "is there already" in capsys.readouterr().err
    assert cli.main([*words[:-1], str(dataset.parent / "both.json")]) == 2
    assert "has to end in .start.json" in capsys.readouterr().err
    assert LANDMARKS.names == NAMES


def test_what_was_measured_goes_into_the_file_and_what_each_case_shows_does_not_flatter_it(
    dataset, monkeypatch
):
    found = with_network(monkeypatch, dataset, 30.0)
    assert found.trust.landmarks == 12
    assert 0.5 < found.trust.network < 2
    atlas = starts_module._atlas(dataset, find_cases([dataset]))
    one = starts_module._looked_at(atlas, atlas.cases[0], None)
    assert one.predictions[REGISTERED].points[0].heatmap is None


def test_what_a_label_says_without_saying_it_plainly_is_told(dataset, tmp_path):
    pairs = tmp_path / "pairs"
    pairs.mkdir()
    for number in range(3):
        image, at = shape_image(bend=2 * number)
        write_image(pairs / f"case-{number}.nrrd", image)
        at["Dot"] = np.array([500.0, 7, 0]) if number == 1 else at["Dot"]
        write_annotation(pairs / f"case-{number}.mrk.json", annotated(at))
    path = pairs / "case-2.mrk.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"defined"', '"preview"', 1))
    notes = starts(pairs).notes
    assert "Read as placed: 'preview' with a position (1)." in notes
    assert "1 point lies outside its image and counts as absent: Dot (case-1)." in notes
    assert starts(dataset).notes == ()


def test_points_that_were_confirmed_where_the_network_had_put_them_flatter_it(
    tmp_path, monkeypatch
):
    folder = tmp_path / "shapes"
    by_it = ModelIdentity("Its own", "1", "a" * 64)
    for number in range(3):
        add_shape(folder, f"case-{number}", bend=2 * number, model=by_it if number else None)

    def network(path, device):
        found = Off(RegisteredStart(folder), 0)
        found.model = SimpleNamespace(identity=by_it)
        return found

    monkeypatch.setattr("landmark_heatmap.detection.predict.Predictor", network)
    monkeypatch.setattr(starts_module, "known_to", lambda path, description: (set(), set(), []))
    atlas, cases = starts_module._atlas(folder, find_cases([folder])), find_cases([folder])
    _, _, notes = starts_module._network("a.safetensors", "cpu", atlas, cases)
    assert notes == [
        "The network: 8 of the 12 points were confirmed where it had put them: there it counts as exact,"
        " which flatters it."
    ]


def test_a_start_that_finds_nothing_is_never_the_best(dataset, monkeypatch):
    found = with_network(monkeypatch, dataset, 0.0)
    nothing = found.starts[1].evaluation
    empty = replace(nothing.overall, mean_mm=replace(nothing.overall.mean_mm, value=None))
    blind = replace(found.starts[1], evaluation=replace(nothing, overall=empty))
    found = replace(found, starts=(found.starts[0], blind))
    assert found.best.name == REGISTERED
    assert "-" in told(found)


def test_where_nothing_was_judged_that_is_said_instead_of_a_table(dataset, monkeypatch):
    monkeypatch.setattr(starts_module, "label_of", lambda annotation, grid: Annotation({}))
    found = starts(dataset)
    assert found.starts == ()
    assert "nothing was found that could be compared" in told(found)
