"""Comparing predictions with references: the figures, what is counted, and how sure they are."""

import json

import numpy as np
import pytest

from landmark_heatmap.annotation.landmarks import (
    Annotation,
    Point,
    PointState,
)
from landmark_heatmap.errors import AnnotationError, LandmarkHeatmapError
from landmark_heatmap.judging.evaluation import Outcome, evaluate
from landmark_heatmap.judging.evaluation_table import format_table

ABSENT, UNJUDGED = Point(PointState.ABSENT), Point(PointState.UNJUDGED)


def placed(x, y=0.0, z=0.0):
    return Point(PointState.PLACED, (x, y, z))


def predicted(x, y=0.0, z=0.0):
    return Point(PointState.PREDICTED, (x, y, z))


def case(name, predictions, references):
    return name, Annotation(predictions), Annotation(references)


def cases_with_errors(errors_mm):
    """A case each row, a landmark each column; NaN is a point that was missed."""
    names = [f"P{column}" for column in range(len(errors_mm[0]))]
    return [
        case(
            f"case-{row}",
            {name: predicted(10, e) for name, e in zip(names, errors) if not np.isnan(e)},
            {name: placed(10) for name in names},
        )
        for row, errors in enumerate(errors_mm)
    ]


class TestFigures:
    def test_a_radial_error_is_the_distance_in_mm(self):
        evaluation = evaluate([case("a", {"P": predicted(1, 2, 3)}, {"P": placed(3, 5, 9)})])
        assert evaluation.cases[0].errors_mm == {"P": 7.0}
        assert evaluation.overall.mean_mm.value == 7.0

    def test_mean_median_and_deviation_are_those_of_all_points(self):
        errors = np.array([[1.0, 2.0], [3.0, 10.0], [0.5, 4.0]])
        evaluation = evaluate(cases_with_errors(errors))
        for summary, values in zip(
            (*evaluation.landmarks, evaluation.overall), (errors[:, 0], errors[:, 1], errors)
        ):
            assert summary.mean_mm.value == pytest.approx(np.mean(values))
            assert summary.median_mm.value == pytest.approx(np.median(values))
            assert summary.std_mm == pytest.approx(np.std(values, ddof=1))

    def test_an_error_as_large_as_the_threshold_is_a_success(self):
        evaluation = evaluate(cases_with_errors([[2.0], [2.001]]), thresholds_mm=[2])
        assert evaluation.overall.success_rates[2.0].value == 0.5

    def test_the_thresholds_are_the_usual_ones_unless_given(self):
        cases = cases_with_errors([[1.0]])
        assert list(evaluate(cases).overall.success_rates) == [2.0, 2.5, 3.0, 4.0]
        assert list(evaluate(cases, thresholds_mm=[0.1, 5]).overall.success_rates) == [0.1, 5.0]

    @pytest.mark.parametrize("threshold", [0, -1, float("nan"), float("inf")])
    def test_a_threshold_that_is_none_is_refused(self, threshold):
        with pytest.raises(LandmarkHeatmapError, match=f"got {threshold:g}"):
            evaluate(cases_with_errors([[1.0]]), thresholds_mm=[threshold])


class TestCounts:
    def test_every_point_has_one_outcome(self):
        references = {"A": placed(1), "B": ABSENT, "C": UNJUDGED, "D": predicted(1)}
        found = evaluate([case("a", {name: predicted(1) for name in "ABCDE"}, references)])
        assert list(found.cases[0].outcomes.values()) == [
            Outcome.COMPARED, Outcome.FALSE, *[Outcome.NOT_IN_REFERENCE] * 3
        ]  # fmt: skip
        for nothing in (ABSENT, UNJUDGED):
            lost = evaluate([case("a", dict.fromkeys("ABCDE", nothing), references)])
            assert list(lost.cases[0].outcomes.values()) == [
                Outcome.MISSED, Outcome.AGREED_ABSENT, *[Outcome.NOT_IN_REFERENCE] * 3
            ]  # fmt: skip

    def test_the_counts_add_up_to_cases_times_landmarks(self):
        evaluation = evaluate(cases_with_errors([[1, np.nan, 3], [np.nan, np.nan, 4]]))
        assert sum(evaluation.overall.counts.values()) == 6
        assert evaluation.overall.counts[Outcome.MISSED] == 3
        for summary in evaluation.landmarks:
            assert sum(summary.counts.values()) == 2

    def test_missed_points_fail_every_threshold_and_are_in_no_mean(self):
        overall = evaluate(cases_with_errors([[1.0], [np.nan], [np.nan], [1.5]])).overall
        assert overall.mean_mm.value == 1.25
        assert overall.success_rates[2.0].value == 0.5

    def test_a_guess_that_nobody_judged_is_no_reference(self):
        evaluation = evaluate([case("a", {"A": predicted(50)}, {"A": predicted(1)})])
        assert evaluation.overall.mean_mm.value is None
        assert evaluation.overall.counts[Outcome.NOT_IN_REFERENCE] == 1

    def test_without_anything_compared_there_are_no_figures(self):
        evaluation = evaluate([case("a", {"A": predicted(1)}, {"A": ABSENT})])
        assert evaluation.overall.mean_mm.value is None
        assert evaluation.overall.std_mm is None
        assert evaluation.overall.success_rates[2.0].value is None
        assert "All" in format_table(evaluation)

    def test_a_reference_without_prediction_misses_all_its_points(self):
        evaluation = evaluate([("a", None, Annotation({"A": placed(1), "B": ABSENT}))])
        assert evaluation.overall.counts[Outcome.MISSED] == 1
        assert evaluation.without_prediction == ("a",)

    def test_a_prediction_without_reference_is_ignored_and_named(self):
        cases = [*cases_with_errors([[1.0]]), ("b", Annotation({"Z": predicted(1)}), None)]
        evaluation = evaluate(cases)
        assert evaluation.ignored == ("b",)
        assert [summary.name for summary in evaluation.landmarks] == ["P0"]

    def test_the_order_of_the_landmarks_is_that_of_the_references_or_as_told(self):
        cases = [
            case("a", {"Z": predicted(1), "B": predicted(1)}, {"B": placed(1), "A": placed(1)})
        ]
        assert [summary.name for summary in evaluate(cases).landmarks] == ["B", "A", "Z"]
        told = evaluate(cases, names=("A", "B"))
        assert [summary.name for summary in told.landmarks] == ["A", "B"]

    def test_a_case_that_comes_twice_and_no_case_at_all_are_refused(self):
        with pytest.raises(AnnotationError, match="'case-0' comes twice"):
            evaluate(cases_with_errors([[1.0]]) * 2)
        with pytest.raises(AnnotationError, match="no reference"):
            evaluate([])


class TestIntervals:
    def test_one_case_gives_no_interval(self):
        overall = evaluate(cases_with_errors([[1.0, 2.0, 3.0]])).overall
        assert overall.mean_mm.interval is None
        assert overall.median_mm.interval is None
        assert overall.success_rates[2.0].interval is None

    def test_a_landmark_that_one_case_has_gets_no_interval(self):
        cases = [
            case("a", {"A": predicted(1), "B": predicted(1)}, {"A": placed(1), "B": placed(1)}),
            case("b", {"A": predicted(2)}, {"A": placed(1)}),
        ]
        first, second = evaluate(cases).landmarks
        assert first.mean_mm.interval is not None
        assert second.mean_mm.interval is None and second.success_rates[2.0].interval is None

    def test_cases_are_drawn_and_not_points(self):
        # Two cases of fifty equal points: a mean is 1, 2 or 3, however many points there are.
        overall = evaluate(cases_with_errors([[1.0] * 50, [3.0] * 50])).overall
        assert overall.mean_mm.interval == (1.0, 3.0)
        assert overall.median_mm.interval == (1.0, 3.0)
        assert overall.success_rates[2.0].interval == (0.0, 1.0)

    def test_the_intervals_are_those_of_a_bootstrap_written_out(self):
        rng = np.random.default_rng(3)
        errors = rng.gamma(2, 1, (9, 4))
        errors[rng.uniform(size=errors.shape) < 0.2] = np.nan
        overall = evaluate(cases_with_errors(errors), resamples=4000, seed=1).overall
        # The same draws, with every point of a drawn case written out as often as it was drawn.
        times = np.random.default_rng(1).multinomial(9, np.full(9, 1 / 9), 4000)
        draws = [np.repeat(errors, drawn, axis=0).ravel() for drawn in times]
        for figure, statistic in (
            (overall.mean_mm, np.nanmean),
            (overall.median_mm, np.nanmedian),
            (overall.success_rates[2.0], lambda drawn: np.mean(drawn <= 2)),
        ):
            expected = np.percentile([statistic(drawn) for drawn in draws], [2.5, 97.5])
            np.testing.assert_allclose(figure.interval, expected)
            assert figure.interval[0] < figure.value < figure.interval[1]

    def test_the_same_seed_gives_the_same_interval_whatever_else_is_compared(self):
        errors = np.random.default_rng(0).gamma(2, 1, (8, 3))
        alone = evaluate(cases_with_errors(errors[:, :1])).landmarks[0]
        together = evaluate(cases_with_errors(errors)).landmarks[0]
        assert alone == together
        other = evaluate(cases_with_errors(errors), seed=1).landmarks[0]
        assert alone.mean_mm.interval != other.mean_mm.interval


class TestOutput:
    def evaluation(self):
        cases = cases_with_errors([[1.0, np.nan], [2.2, 3.0], [2.7, 5.0]])
        return evaluate([*cases, ("lost", None, cases[0][2]), ("extra", cases[0][1], None)])

    def test_json_holds_everything_and_names_the_units(self):
        document = json.loads(json.dumps(self.evaluation().to_json(), allow_nan=False))
        assert document["units"] == "mm"
        assert document["interval"]["resamples"] == 2000
        assert document["interval"]["percent"] == 95
        assert document["overall"]["counts"]["missed"] == 3
        assert document["overall"]["mean_radial_error_mm"]["value"] == pytest.approx(2.78)
        rates = document["landmarks"][0]["success_detection_rates"]
        assert [rate["threshold_mm"] for rate in rates] == [2.0, 2.5, 3.0, 4.0]
        assert rates[1]["value"] == 0.5
        point = document["cases"][1]["points"]["P0"]
        assert point == {"outcome": "compared", "radial_error_mm": pytest.approx(2.2)}
        assert document["cases_without_prediction"] == ["lost"]
        assert document["ignored_predictions"] == ["extra"]

    def test_the_table_has_a_line_for_each_landmark_and_one_for_all(self):
        lines = format_table(self.evaluation()).splitlines()
        assert lines[0].split()[:3] == ["landmark", "MRE", "mm"]
        assert lines[2].split()[:2] == ["P0", "1.97"]
        assert lines[3].split()[:2] == ["P1", "4.00"]
        assert lines[5].split()[:2] == ["All", "2.78"]
        assert len({len(line) for line in lines[:6]}) == 1

    def test_the_table_says_what_it_counts_and_how(self):
        text = format_table(self.evaluation())
        assert "missed points as failures" in text
        assert "2000 resamples" in text and "95 %" in text
        assert "all missed): lost" in text
        assert "ignored: extra" in text
        assert "no intervals" in format_table(evaluate(cases_with_errors([[1.0]])))
