"""The page and the pictures: complete, self-contained, and showing things where they are."""

import base64
import json
import re
import struct
from html.parser import HTMLParser

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from dots import NAMES, SeesDots, write_case, write_cases, write_untrained
from landmark_heatmap.images.geometry import Grid, Image
from landmark_heatmap.judging.bootstrap import Figure
from landmark_heatmap.model.description import IntensityNormalisation
from landmark_heatmap.pictures.drawing import new_figure
from landmark_heatmap.pictures.views import PLANES, view_of
from landmark_training.cli import main
from landmark_training.fit import fit
from landmark_training.judging import charts, page, report
from landmark_training.judging import judge as judge_module
from landmark_training.judging.judge import How, choose_cases, judge
from landmark_training.judging.report import Report, labels_of, write_report
from landmark_training.planning.config import TrainConfig

AS_IS = IntensityNormalisation("window", 0, 1)


@pytest.fixture
def sees_dots(monkeypatch):
    monkeypatch.setattr(judge_module, "Predictor", SeesDots)
    monkeypatch.setattr(report, "Predictor", SeesDots)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    config = TrainConfig(
        features=(4, 8), joint_features=0, epochs=2, steps_per_epoch=1, batch_size=2,
        precision="float32",
    )  # fmt: skip
    fit([write_cases(folder / "data", 6)], folder / "RUN", config, say=lambda line: None)
    return folder / "RUN"


class Page(HTMLParser):
    """What is in a document; it fails if the tags do not match, or if anything lies outside."""

    def __init__(self, path):
        super().__init__()
        self.open, self.headings, self.pictures, self.text = [], [], [], ""
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)
        attributes = dict(attributes)
        assert tag not in ("script", "link", "iframe", "a")
        if tag == "img":
            kind, data = attributes["src"].split(",", 1)
            assert kind == "data:image/png;base64"
            assert attributes["alt"]
            self.pictures.append(base64.b64decode(data, validate=True))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data)
        if self.open and self.open[-1] == "style":
            assert "url(" not in data and "@import" not in data
        else:
            self.text += data


def size_of_png(data):
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", data[16:24])


def report_of(tmp_path, dimension=2, against=None, **training):
    cases = choose_cases([write_cases(tmp_path / "data", 3, dimension)])
    models = [write_untrained(tmp_path / "new" / "m.safetensors", dimension, **training)]
    if against is not None:
        models.append(write_untrained(tmp_path / "old" / "m.safetensors", dimension, **against))
    judgements = tuple(judge(path, cases, How(resamples=50)) for path in models)
    return Report(judgements, tuple(cases))


class TestPage:
    @pytest.mark.parametrize("dimension", [2, 3])
    def test_it_is_whole_and_needs_nothing_from_elsewhere(self, sees_dots, tmp_path, dimension):
        found = Page(write_report(report_of(tmp_path, dimension, error_mm=3.0), tmp_path))
        assert found.headings == [
            "Dots",
            "Accuracy",
            "Consistency of the channels",
            "Does it know how wrong it is?",
            "The worst cases",
            "Training",
            "How this was computed",
        ]
        # Two charts of accuracy, all channels, calibration, and the three cases there are.
        assert len(found.pictures) == 7
        assert min(min(size_of_png(picture)) for picture in found.pictures) > 200
        for text in ("case-0", "Eye_L", "3.00", "Mean error"):
            assert text in found.text
        assert "Implausible" not in found.text

    def test_two_models_stand_side_by_side_with_the_verdict(self, sees_dots, tmp_path):
        two = report_of(tmp_path, error_mm=1.0, against={"error_mm": 5.0, "heights": [1, 0.4, 0.7]})
        assert two.labels == ("new", "old")
        found = Page(write_report(two, tmp_path))
        assert two.comparison.sentence in found.text
        assert "old: 5.00" in found.text
        document = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
        assert document["comparison"]["sentence"] == two.comparison.sentence
        assert document["against"]["consistency"]["figures"]["peak_cv"]["value"] > 0.3

    def test_what_flatters_is_on_the_page(self, sees_dots, tmp_path):
        found = Page(write_report(report_of(tmp_path), tmp_path))
        assert "does not say which images it was trained on" in found.text

    def test_names_that_look_like_html_are_only_names(self, sees_dots, tmp_path):
        names = ("<b>A&B", '"quoted"', r"$\frac$")
        (tmp_path / "data").mkdir()
        write_case(tmp_path / "data", "a & <i>b", 1, names=names)
        cases = choose_cases([tmp_path / "data"])
        path = write_untrained(tmp_path / "m.safetensors", names=names, pairs=(), name="<script>")
        judged = judge(path, cases, How(resamples=10))
        found = Page(write_report(Report((judged,), tuple(cases)), tmp_path))
        for text in (*names, "<script>", "a & <i>b"):
            assert text in found.text

    def test_without_anything_located_there_is_still_a_page(self, sees_dots, tmp_path):
        found = Page(write_report(report_of(tmp_path, absent=list(NAMES)), tmp_path))
        assert "No case has a point that was located" in found.text

    def test_models_are_told_apart_by_whatever_differs(self, sees_dots, tmp_path):
        cases = choose_cases([write_cases(tmp_path / "data", 1)])
        judged = {
            (folder, file, name): judge(
                write_untrained(tmp_path / folder / f"{file}.safetensors", name=name), cases
            )
            for folder, file, name in (
                ("a", "x", "One"), ("b", "x", "Two"), ("b", "y", "One"), ("a", "z", "One")
            )
        }  # fmt: skip
        by = list(judged.values())
        assert labels_of((by[0], by[1])) == ("One", "Two")
        assert labels_of((by[0], by[2])) == ("a", "b")
        assert labels_of((by[0], by[3])) == ("x", "z")


class TestCurves:
    ROWS = (
        {"stage": "coarse", "epoch": 1.0, "loss": 3.0, "mre_mm": None, "missed": 2.0},
        {"stage": "coarse", "epoch": 2.0, "loss": 1.0, "mre_mm": 4.0, "missed": 0.0},
        {"stage": "fine", "epoch": 1.0, "loss": 2.0, "mre_mm": 3.0, "peak_cv": 0.1},
    )

    def test_a_second_stage_goes_on_where_the_first_one_ended(self):
        axes = new_figure(3, 3).subplots()
        charts._curve(axes, self.ROWS, "loss", "black", "loss")
        lines = [line.get_xydata().tolist() for line in axes.lines]
        assert lines == [[[1, 3], [2, 1]], [[3, 2]]]

    def test_epochs_that_were_not_judged_leave_a_gap(self):
        axes = new_figure(3, 3).subplots()
        charts._curve(axes, self.ROWS, "mre_mm", "black", "mean")
        assert axes.lines[0].get_xydata().tolist() == [[2, 4]]

    def test_the_cumulative_curve_goes_through_the_success_rates(self, sees_dots, tmp_path):
        evaluation = report_of(tmp_path, error_mm=2.2, absent=["Nose"]).model.evaluation
        rates = evaluation.overall.success_rates
        assert charts._shares_within(evaluation, list(rates)) == list(rates.values())
        assert [round(figure.value, 3) for figure in rates.values()] == [0, 0.667, 0.667, 0.667]

    def test_whatever_was_recorded_is_drawn(self):
        both = size_of_png(charts.learning_curves(self.ROWS, 2))
        assert both == size_of_png(charts.learning_curves(self.ROWS[:1]))


class TestNumbers:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (None, "–"), (0, "0"), (1.904, "1.90"), (12.34, "12.3"), (123.4, "123"),
            (0.04567, "0.0457"), (0.0000312, "0.0000312"), (-0.25, "−0.250"), (9999.6, "10000"),
        ],
    )  # fmt: skip
    def test_three_digits_are_enough(self, value, text):
        assert page.number(value) == text

    def test_an_interval_is_as_exact_as_its_value(self):
        assert page.told(Figure(1.904, (0.98765, 12.3))) == ("1.90", "0.99–12.30")
        assert page.told(Figure(0.1, (-0.2, 0.3))) == ("0.100", "−0.200 to 0.300")
        assert page.told(Figure(1.0)) == ("1.00", "")
        assert page.told(Figure(0.0, (0.0, 0.0))) == ("0", "")

    def test_shares_are_percent(self):
        assert page.told_percent(Figure(0.425, (0.3421, 1.0))) == ("42.5", "34.2–100")
        assert page.told_percent(Figure()) == ("–", "")


class TestViews:
    """One bright voxel, somewhere off the middle, in an image that lies obliquely."""

    SIZE = (30, 36, 26)
    AT = np.array([21, 9, 17])

    def image(self, axes=(0, 1, 2), signs=(1, 1, 1), turn=0.2, size=SIZE, at=AT):
        """Axes permuted and flipped from L, P, S, then turned a little."""
        array = np.zeros(size, np.float32)  # along i, j, k
        array[tuple(at)] = 1
        matrix = np.eye(4)
        c, s = np.cos(turn), np.sin(turn)
        rotation = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
        directions = np.eye(3)[:, list(axes)] * signs
        matrix[:3, :3] = rotation @ directions * [1.5, 2.0, 2.5]
        matrix[:3, 3] = (5, -7, 11)
        return Image(array.transpose(2, 1, 0), matrix)

    @pytest.mark.parametrize("plane", PLANES)
    @pytest.mark.parametrize("half_mm", [None, 12.0])
    @pytest.mark.parametrize(
        ("axes", "signs"),
        [((0, 1, 2), (1, 1, 1)), ((2, 0, 1), (-1, 1, -1)), ((1, 0, 2), (-1, -1, 1))],
    )
    def test_a_point_falls_on_what_it_marks(self, plane, half_mm, axes, signs):
        image = self.image(axes, signs)
        point = image.grid.to_lps(self.AT)
        view = view_of(image.grid, plane, point, half_mm, pixels=150)
        grey = view.picture(image, AS_IS)
        brightest = np.unravel_index(np.argmax(grey), grey.shape)[::-1]
        assert grey.max() > 0.8
        np.testing.assert_allclose(view.to_pixels(point), brightest, atol=1.0)

    def test_left_is_right_on_the_screen_and_superior_is_up(self):
        image = self.image(turn=0.0)
        point = image.grid.to_lps(self.AT)
        for plane, (right, down) in {
            "axial": ((1, 0, 0), (0, 1, 0)),
            "coronal": ((1, 0, 0), (0, 0, -1)),
            "sagittal": ((0, 1, 0), (0, 0, -1)),
        }.items():
            view = view_of(image.grid, plane, point)
            start = view.to_pixels(point)
            assert np.argmax(view.to_pixels(point + right) - start) == 0
            assert np.argmax(view.to_pixels(point + down) - start) == 1

    @pytest.mark.parametrize("world", [(0, 1), (0, 2), (1, 2)])
    def test_a_2d_image_is_seen_as_it_was_taken_with_superior_up(self, world):
        third = 3 - sum(world)
        image = self.image((*world, third), turn=0.0, size=(30, 36, 1), at=(21, 9, 0))
        point = image.grid.to_lps([21, 9, 0])
        view = view_of(image.grid, pixels=144)
        grey = view.picture(image, AS_IS)
        brightest = np.unravel_index(np.argmax(grey), grey.shape)[::-1]
        np.testing.assert_allclose(view.to_pixels(point), brightest, atol=1.5)
        down = np.eye(3)[world[1]] * (-1 if world[1] == 2 else 1)
        assert (view.to_pixels(point + down) - view.to_pixels(point))[1] > 0

    @pytest.mark.parametrize("plane", PLANES)
    def test_heat_is_seen_through_the_image_and_is_nothing_outside_its_crop(self, plane):
        image = self.image()
        # The canonical axes are the image's own; the crop is all that a prediction keeps.
        heatmap = image.cropped(self.AT - 2, (5, 5, 5))
        heatmap = Image(np.full((5, 5, 5), 0.6, np.float32), heatmap.ijk_to_lps)
        point = image.grid.to_lps(self.AT)
        other = image.grid.to_lps(self.AT - 7)
        whole = view_of(image.grid, plane, other, pixels=200)
        heat = whole.heat(heatmap)
        x, y = np.rint(whole.to_pixels(point)).astype(int)
        assert heat[y, x] == pytest.approx(0.6, abs=1e-5)
        assert (heat > 0).mean() < 0.1
        assert heat.shape == whole.picture(image, AS_IS).shape

    @pytest.mark.parametrize("plane", PLANES)
    @pytest.mark.parametrize("axis", [[1, 1, 1], [1, 0, 0], [0, 0.2, 1]])
    def test_a_ball_in_a_turned_crop_is_a_disc_in_every_plane(self, plane, axis):
        image = Grid((60, 60, 60), np.eye(4))
        centre, turn = np.array([30.0, 27.0, 33.0]), turned_about(axis, 0.7)
        matrix = np.eye(4)
        matrix[:3, :3] = turn
        matrix[:3, 3] = centre - turn @ np.full(3, 10.0)
        square = sum((g - 10.0) ** 2 for g in np.indices((21, 21, 21)))
        heatmap = Image(np.exp(-square / 8).astype(np.float32), matrix)
        view = view_of(image, plane, centre, pixels=120)
        heat = view.heat(heatmap)
        x, y = view.to_pixels(centre)
        rows, columns = np.indices(heat.shape)
        disc = np.exp(-(((columns - x) ** 2 + (rows - y) ** 2) * view.mm(1) ** 2) / 8)
        np.testing.assert_allclose(heat, disc, atol=0.12)

    def test_heat_is_smooth_between_voxels(self):
        image = Grid((40, 40, 40), np.diag([4.0, 4, 4, 1]))
        grids = np.indices((40, 40, 40))
        square = sum((g - 20.0) ** 2 for g in grids)
        heatmap = Image(np.exp(-square / 8).astype(np.float32), image.ijk_to_lps)
        view = view_of(image, "axial", image.to_lps([20, 20, 31]), 30.0, pixels=200)
        line = view.heat(heatmap)[100]
        assert len(np.unique(np.round(line, 5))) > 50


def turned_about(axis, angle: float) -> np.ndarray:
    """(3, 3), the rotation by an angle (Rodrigues)."""
    x, y, z = np.array(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


class TestCommands:
    def test_a_report_on_a_run_judges_what_it_held_out(self, run, capsys):
        assert main(["report", str(run), "--device", "cpu"]) == 0
        told = capsys.readouterr().out
        assert "mean error, mm" in told and "chosen by this case" in told
        found = Page(run / "report.html")
        assert "Judged on 1 case" in found.text
        # One more than without a run: the learning curves.
        assert "Learning curves" in found.text
        assert "5 to train on, 1 to judge by" in found.text
        assert (run / "evaluation.json").is_file()
        # A second report replaces the first.
        assert main(["report", str(run), "--device", "cpu"]) == 0

    def test_other_cases_may_be_named_in_a_file(self, run, tmp_path, capsys):
        data = write_cases(tmp_path / "data", 3, first_seed=20)
        (tmp_path / "names.txt").write_text("case-20\n\ncase-22\n")
        arguments = ["--data", str(data), "--cases", str(tmp_path / "names.txt")]
        assert main(["report", str(run), *arguments, "--thresholds", "1", "9"]) == 0
        assert "Judged on 2 cases" in Page(run / "report.html").text
        assert "within 9 mm, %" in capsys.readouterr().out

    def test_evaluate_compares_two_models_and_overwrites_nothing(self, run, tmp_path, capsys):
        data = write_cases(tmp_path / "data", 2, first_seed=20)
        model = str(run / "model.safetensors")
        arguments = ["evaluate", "--model", model, "--against", model, "--data", str(data)]
        assert main([*arguments, "--output", str(tmp_path / "out")]) == 0
        told = capsys.readouterr().out
        assert "No difference between the new model and the old model can be told" in told
        assert Page(tmp_path / "out" / "report.html").pictures
        assert main([*arguments, "--output", str(tmp_path / "out")]) == 2
        assert "not an empty folder" in capsys.readouterr().err

    def test_channels_are_drawn_for_one_model_and_for_two(self, run, tmp_path, capsys):
        write_case(tmp_path, "a", 1)
        image, model = str(tmp_path / "a.nrrd"), str(run / "model.safetensors")
        sizes = []
        for name, more in (("one", []), ("two", ["--against", model, "--labels", "new", "old"])):
            arguments = ["channels", "--model", model, "--image", image, *more]
            assert main([*arguments, "--output", str(tmp_path / f"{name}.png")]) == 0
            sizes.append(size_of_png((tmp_path / f"{name}.png").read_bytes()))
        assert sizes[1][1] > 1.6 * sizes[0][1]
        assert main([*arguments, "--output", str(tmp_path / "two.png")]) == 2
        assert main([*arguments, "--output", str(tmp_path / "two.jpg")]) == 2
        assert main([*arguments, "only-one", "--output", str(tmp_path / "x.png")]) == 2

    def test_a_case_that_is_not_there_is_named(self, run, capsys):
        assert main(["report", str(run), "--cases", "nobody"]) == 2
        assert re.search("no case nobody", capsys.readouterr().err)
