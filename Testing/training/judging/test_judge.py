"""Judging models: what comes out, what flatters, and whether one is better than another."""

import json
import shutil
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from dots import NAMES, PAIRS, SeesDots, write_case, write_cases, write_untrained
from landmark_heatmap.annotation.annotation_files import read_annotation
from landmark_heatmap.annotation.landmarks import (
    Annotation,
    Landmark,
    LandmarkSet,
    Point,
    PointState,
)
from landmark_heatmap.dataset.cases import add_case
from landmark_heatmap.dataset.folder import create_dataset
from landmark_heatmap.dataset.record import CaseRecord, Review
from landmark_heatmap.errors import DatasetError
from landmark_heatmap.images.imageio import read_image
from landmark_heatmap.judging.evaluation import Outcome, evaluate
from landmark_heatmap.model.model_file import read_description
from landmark_training.data.cases import image_id
from landmark_training.fit import fit
from landmark_training.judging import judge as judge_module
from landmark_training.judging.comparison import Verdict, compare, sign_flip_p
from landmark_training.judging.judge import How, choose_cases, held_out_cases, judge
from landmark_training.judging.runs import read_run
from landmark_training.planning.config import TrainConfig

QUICK = How(resamples=100)


@pytest.fixture
def sees_dots(monkeypatch):
    monkeypatch.setattr(judge_module, "Predictor", SeesDots)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A real run, as short as can be."""
    folder = tmp_path_factory.mktemp("run")
    data = write_cases(folder / "data", 6)
    config = TrainConfig(
        features=(4, 8), joint_features=0, epochs=1, steps_per_epoch=1, batch_size=2,
        validation_share=0.34, precision="float32",
    )  # fmt: skip
    fit([data], folder / "first", config, say=lambda line: None)
    return folder / "first"


def run_json(model_path, **record):
    empty = {"config": {}, "training_cases": [], "validation_cases": []}
    (model_path.parent / "run.json").write_text(json.dumps({**empty, **record}))


def add_reviewed(folder, seed: int, proposer):
    """A case in folder/data: a landmark confirmed where the proposer had put it, one moved, one left."""
    name, reviews = f"reviewed-{seed}", (Review.CONFIRMED, Review.CORRECTED, Review.UNTOUCHED)
    write_case(folder, name, seed)
    points = dict(read_annotation(folder / f"{name}.mrk.json").points)
    points[NAMES[2]] = replace(points[NAMES[2]], state=PointState.PREDICTED)
    create_dataset(folder / "data", LandmarkSet(tuple(map(Landmark, NAMES)), PAIRS))
    record = CaseRecord(dict(zip(NAMES, reviews)), model=proposer)
    image = read_image(folder / f"{name}.nrrd")
    add_case(folder / "data", name, image, Annotation(points), record)


class TestOneModel:
    @pytest.mark.parametrize("dimension", [2, 3])
    def test_errors_consistency_and_calibration_are_what_the_predictor_does(
        self, sees_dots, tmp_path, dimension
    ):
        cases = choose_cases([write_cases(tmp_path / "data", 3, dimension)])
        model = write_untrained(tmp_path / "m.safetensors", dimension, error_mm=3.0)
        judgement = judge(model, cases, QUICK)
        assert judgement.evaluation.overall.mean_mm.value == pytest.approx(3.0)
        assert judgement.consistency.figures["peak_cv"].value == pytest.approx(0, abs=1e-3)
        assert judgement.consistency.figures["peak_ratio"].value == pytest.approx(1, abs=1e-3)
        assert judgement.consistency.swapped.value == 0
        # 3 mm is within 1.18 sigma of 4 mm, the ellipse of 50 % in 2D; in 3D it is larger still.
        assert judgement.calibration.coverage[0.5].value == 1
        assert sum(map(len, judgement.calibration.points)) == 9

    def test_unequal_heatmaps_are_seen(self, sees_dots, tmp_path):
        cases = choose_cases([write_cases(tmp_path / "data", 2)])
        model = write_untrained(tmp_path / "m.safetensors", heights=[1.0, 0.5, 0.75])
        consistency = judge(model, cases, QUICK).consistency
        expected = np.std([1, 0.5, 0.75]) / 0.75
        assert consistency.figures["peak_cv"].value == pytest.approx(expected, abs=1e-3)
        assert consistency.landmarks["Eye_R"]["peak_ratio"].value == pytest.approx(0.5, abs=1e-3)

    def test_a_landmark_that_is_not_found_is_missed_and_has_no_channel(self, sees_dots, tmp_path):
        cases = choose_cases([write_cases(tmp_path / "data", 2)])
        judgement = judge(
            write_untrained(tmp_path / "m.safetensors", absent=["Nose"]), cases, QUICK
        )
        assert judgement.evaluation.overall.counts[Outcome.MISSED] == 2
        assert judgement.consistency.landmarks["Nose"]["peak_ratio"].value is None

    def test_all_that_came_out_goes_into_json(self, sees_dots, tmp_path):
        cases = choose_cases([write_cases(tmp_path / "data", 2)])
        document = judge(write_untrained(tmp_path / "m.safetensors"), cases, QUICK).to_json()
        document = json.loads(json.dumps(document, allow_nan=False))
        assert set(document) == {"model", "warnings", "evaluation", "consistency", "calibration"}
        assert document["model"]["file"] == "m.safetensors"

    def test_a_real_network_is_judged_too(self, tmp_path):
        cases = choose_cases([write_cases(tmp_path / "data", 1)])
        judgement = judge(write_untrained(tmp_path / "m.safetensors"), cases, How(device="cpu"))
        assert sum(judgement.evaluation.overall.counts.values()) == 3

    def test_all_bad_cases_are_named_at_once(self, sees_dots, tmp_path):
        data = write_cases(tmp_path / "data", 3)
        for name in ("case-0", "case-2"):
            (data / f"{name}.nrrd").write_bytes(b"no image")
        with pytest.raises(DatasetError, match=r"(?s)case-0.*case-2"):
            judge(write_untrained(tmp_path / "m.safetensors"), choose_cases([data]), QUICK)

    def test_cases_about_other_landmarks_are_refused(self, tmp_path, sees_dots):
        (tmp_path / "data").mkdir()
        write_case(tmp_path / "data", "a", 1, names=("Ear", "Chin", "Brow"))
        model = write_untrained(tmp_path / "m.safetensors")
        with pytest.raises(DatasetError, match="Ear"):
            judge(model, choose_cases([tmp_path / "data"]), QUICK)

    def test_landmarks_that_the_model_does_not_know_are_told(self, tmp_path, sees_dots):
        (tmp_path / "data").mkdir()
        write_case(tmp_path / "data", "a", 1, names=(*NAMES, "Chin"))
        model = write_untrained(tmp_path / "m.safetensors", training_images=[])
        (warning,) = judge(model, choose_cases([tmp_path / "data"]), QUICK).warnings
        assert "Chin" in warning


class TestFlattery:
    def warnings(self, model, cases):
        return judge(model, cases, QUICK).warnings

    def test_an_image_is_recognised_whatever_it_is_called(self, sees_dots, tmp_path):
        data = write_cases(tmp_path / "data", 3)
        seen = [image_id(data / "case-1.nrrd")]
        for suffix in (".nrrd", ".mrk.json"):
            (data / f"case-1{suffix}").rename(data / f"renamed{suffix}")
        model = write_untrained(tmp_path / "m.safetensors", training_images=seen)
        (warning,) = self.warnings(model, choose_cases([data]))
        assert warning.startswith("It was trained on 1 of these 3 cases (renamed)")

    def test_what_an_earlier_model_has_seen_counts_too(self, sees_dots, tmp_path):
        data = write_cases(tmp_path / "data", 2)
        seen = [image_id(data / "case-0.nrrd")]
        model = write_untrained(
            tmp_path / "m.safetensors", training_images=[], images_seen_before=seen
        )
        assert "(case-0)" in self.warnings(model, choose_cases([data]))[0]

    def test_cases_that_chose_the_epoch_flatter_a_little(self, sees_dots, tmp_path):
        data = write_cases(tmp_path / "data", 2)
        used = [image_id(data / f"case-{n}.nrrd") for n in range(2)]
        model = write_untrained(
            tmp_path / "m.safetensors", training_images=[], validation_images=used
        )
        (warning,) = self.warnings(model, choose_cases([data]))
        assert "all of these cases, which flatters it a little" in warning

    def test_an_older_model_is_told_by_the_names_in_its_run(self, sees_dots, tmp_path):
        model = write_untrained(tmp_path / "run" / "model.safetensors")
        cases = choose_cases([write_cases(tmp_path / "data", 2)])
        assert "cannot be told" in self.warnings(model, cases)[0]
        run_json(model, training_cases=["case-1"], validation_cases=["case-0"])
        trained, chosen = self.warnings(model, cases)
        assert "trained on 1 of these 2 cases (case-1)" in trained
        assert "(case-0)" in chosen

    def test_a_start_from_an_unknown_model_is_told(self, sees_dots, tmp_path):
        model = write_untrained(
            tmp_path / "m.safetensors", training_images=["x"], images_seen_before=None
        )
        cases = choose_cases([write_cases(tmp_path / "data", 1)])
        assert "does not say which images it had seen" in self.warnings(model, cases)[0]

    def test_new_cases_flatter_nobody(self, sees_dots, tmp_path):
        model = write_untrained(
            tmp_path / "m.safetensors", training_images=["x"], validation_images=["y"]
        )
        assert self.warnings(model, choose_cases([write_cases(tmp_path / "data", 2)])) == ()

    def test_what_was_confirmed_where_it_had_put_it_counts_as_exact_and_is_told(
        self, sees_dots, tmp_path
    ):
        model = write_untrained(
            tmp_path / "m.safetensors", training_images=["x"], validation_images=["y"]
        )
        own = SeesDots(model).model.identity
        for seed, proposer in enumerate((own, replace(own, sha256="1" * 64))):
            add_reviewed(tmp_path, seed, proposer)
        (warning,) = self.warnings(model, choose_cases([tmp_path / "data"]))
        assert warning.startswith("1 of the 4 points were confirmed where it had put them")

    def test_a_run_records_what_it_trained_on_what_it_held_out_and_what_came_before(
        self, run, tmp_path
    ):
        training = read_description(run / "model.safetensors").training
        record = read_run(run)
        data = run.parent / "data"
        for images, names in (
            (training["training_images"], record.training_cases),
            (training["validation_images"], record.validation_cases),
        ):
            assert images == [image_id(data / f"{name}.nrrd") for name in names]
        assert training["images_seen_before"] == []
        config = TrainConfig(epochs=1, steps_per_epoch=1, batch_size=2, precision="float32")
        more = write_cases(tmp_path / "more", 2, first_seed=50)
        path = fit([more], tmp_path / "next", config, run / "model.safetensors", lambda line: None)
        later = read_description(path).training
        assert later["images_seen_before"] == sorted(training["training_images"])
        assert not set(later["training_images"]) & set(later["images_seen_before"])


class TestCases:
    def test_only_the_cases_named_are_taken(self, tmp_path):
        data = write_cases(tmp_path / "data", 3)
        assert [c.name for c in choose_cases([data], ["case-2", "case-0"])] == ["case-0", "case-2"]
        with pytest.raises(DatasetError, match="no case case-9"):
            choose_cases([data], ["case-9"])

    def test_cases_of_the_same_name_are_told_apart(self, tmp_path):
        folders = [write_cases(tmp_path / name, 1) for name in ("one", "two")]
        assert [case.name for case in choose_cases(folders)] == ["case-0", "case-0 (2)"]

    def test_a_run_knows_the_cases_that_it_held_out(self, run):
        names = [case.name for case in held_out_cases(read_run(run))]
        assert names == list(read_run(run).validation_cases)
        assert len(names) == 2
        assert [c.name for c in held_out_cases(read_run(run), names[:1])] == names[:1]

    def test_held_out_cases_that_are_gone_or_changed_are_missed(self, run, tmp_path):
        folder, data = tmp_path / "run", tmp_path / "data"
        shutil.copytree(run, folder)
        shutil.copytree(run.parent / "data", data)
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        record["data"] = [str(data)]
        (folder / "run.json").write_text(json.dumps(record))
        held_out = record["validation_cases"][0]
        assert len(held_out_cases(read_run(folder))) == 2
        shutil.copy(data / f"{record['training_cases'][0]}.nrrd", data / f"{held_out}.nrrd")
        with pytest.raises(DatasetError, match="1 are still"):
            held_out_cases(read_run(folder))

    def test_a_run_that_says_too_little_asks_for_data(self, tmp_path):
        model = write_untrained(tmp_path / "model.safetensors")
        run_json(model, validation_cases=["a"])
        with pytest.raises(DatasetError, match="--data"):
            held_out_cases(read_run(tmp_path))
        run_json(model, data=["somewhere"])
        with pytest.raises(DatasetError, match="held out no cases"):
            held_out_cases(read_run(tmp_path))

    @pytest.mark.parametrize("text", ["", "[]", '{"config": {}}', "no json"])
    def test_a_folder_without_a_run_is_refused(self, tmp_path, text):
        if text:
            (tmp_path / "run.json").write_text(text)
        with pytest.raises(DatasetError, match="is damaged" if text else "holds no run"):
            read_run(tmp_path)


class TestSignFlips:
    def test_it_counts_all_patterns_of_signs(self):
        differences = np.random.default_rng(0).normal(0.4, 1, 7)
        sums = [abs(np.dot(signs, differences)) for signs in product((-1, 1), repeat=7)]
        expected = np.mean(np.array(sums) >= abs(differences.sum()) - 1e-12)
        assert sign_flip_p(differences) == pytest.approx(expected)

    def test_it_is_the_test_of_scipy(self):
        stats = pytest.importorskip("scipy.stats")
        differences = np.random.default_rng(1).normal(0.3, 1, 9)
        result = stats.permutation_test(
            (differences,), np.sum, permutation_type="samples", n_resamples=np.inf
        )
        assert sign_flip_p(differences) == pytest.approx(result.pvalue)

    def test_one_side_always_gives_the_least_p_there_is(self):
        assert sign_flip_p([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]) == 2 / 2**6
        assert sign_flip_p([-0.1] * 8) == 2 / 2**8

    def test_no_difference_at_all_gives_one(self):
        assert sign_flip_p([0.0] * 5) == 1
        assert sign_flip_p([0.0] * 40) == 1

    def test_many_cases_are_sampled_and_agree_with_the_normal_approximation(self):
        differences = np.random.default_rng(2).normal(0.3, 1, 60)
        stats = pytest.importorskip("scipy.stats")
        z = differences.sum() / np.sqrt((differences**2).sum())
        assert sign_flip_p(differences) == pytest.approx(2 * stats.norm.sf(abs(z)), abs=0.01)


def evaluation_of(errors_mm, names="AB"):
    """A case each row, a landmark each column; NaN is a point that was missed."""
    cases = []
    for number, row in enumerate(errors_mm):
        found = {n: Point(PointState.PREDICTED, (0, e, 0)) for n, e in zip(names, row) if e >= 0}
        truth = {n: Point(PointState.PLACED, (0, 0, 0)) for n in names}
        cases.append((f"case-{number}", Annotation(found), Annotation(truth)))
    return evaluate(cases, resamples=0, names=tuple(names))


class TestComparison:
    ERRORS = np.random.default_rng(3).uniform(1, 3, (12, 2))

    def compared(self, new, old):
        return compare(evaluation_of(new), evaluation_of(old), ("New", "Old"), resamples=500)

    def test_lower_errors_throughout_are_better(self):
        comparison = self.compared(self.ERRORS, self.ERRORS + [[0.5, 0.7]])
        assert comparison.verdict is Verdict.BETTER
        assert comparison.error_mm.mean.value == pytest.approx(-0.6)
        low, high = comparison.error_mm.mean.interval
        assert low <= -0.6 + 1e-9 and high >= -0.6 - 1e-9
        assert comparison.error_mm.p == pytest.approx(2 / 2**12)
        assert comparison.sentence.startswith("New is better than Old: the mean error changes by")
        assert "−0.6 mm" in comparison.sentence

    def test_higher_errors_are_worse(self):
        comparison = self.compared(self.ERRORS + 0.4, self.ERRORS)
        assert comparison.verdict is Verdict.WORSE
        assert comparison.sentence.startswith("New is worse than Old")

    def test_chance_is_told_as_no_difference(self):
        other = np.random.default_rng(4).permutation(self.ERRORS)
        comparison = self.compared(self.ERRORS, other)
        assert comparison.verdict is Verdict.UNDECIDED
        assert "can be told from 12 cases" in comparison.sentence

    def test_so_few_cases_that_nothing_can_be_told_say_so(self):
        comparison = self.compared(self.ERRORS[:5], self.ERRORS[:5] + 1)
        assert comparison.verdict is Verdict.UNDECIDED
        assert "so few cases can never tell" in comparison.sentence
        six = self.compared(self.ERRORS[:6], self.ERRORS[:6] + 1)
        assert six.verdict is Verdict.BETTER and "never" not in six.sentence

    def test_points_that_one_model_missed_are_in_no_mean_but_are_counted(self):
        new = self.ERRORS.copy()
        new[:, 1] = np.nan
        comparison = self.compared(new, self.ERRORS)
        assert comparison.error_mm.mean.value == 0 and comparison.points == 12
        assert comparison.wrong_points == (12, 0)
        assert comparison.verdict is Verdict.WORSE
        assert "12 points are missed or false against 0, which is more" in comparison.sentence

    def test_more_exact_but_more_missed_is_neither_better_nor_worse(self):
        new = self.ERRORS - 0.5
        new[:, 1] = np.nan
        comparison = self.compared(new, self.ERRORS)
        assert comparison.verdict is Verdict.MIXED

    def test_without_a_common_point_nothing_is_compared(self):
        nothing = np.full((3, 2), np.nan)
        comparison = self.compared(nothing, self.ERRORS[:3])
        assert comparison.error_mm.mean.value is None
        assert "no point that both locate" in comparison.sentence
        json.dumps(comparison.to_json(), allow_nan=False)

    def test_landmarks_that_one_model_does_not_know_are_left_out(self):
        new = evaluation_of(self.ERRORS[:, :1], "A")
        old = evaluation_of(self.ERRORS + [[0.5, 9]], "AB")
        comparison = compare(new, old, ("New", "Old"), resamples=10)
        assert comparison.error_mm.mean.value == pytest.approx(-0.5)
        assert comparison.points == 12

    def test_other_cases_are_refused(self):
        with pytest.raises(ValueError, match="different cases"):
            self.compared(self.ERRORS[:3], self.ERRORS[:4])
