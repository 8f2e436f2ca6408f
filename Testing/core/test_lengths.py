"""Digits that fit the size of what is printed, and thresholds that fit what is marked."""

import pytest

from landmark_heatmap.lengths import CLINICAL_THRESHOLDS_MM, fitting_thresholds, length, number


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.003142, "0.00314"), (1.904, "1.90"), (12.34, "12.3"), (123.4, "123"), (98765.4, "98765"),
        (0, "0.00"), (None, "-"), (float("nan"), "-"), (0.0000271, "0.0000271"),
    ],
)  # fmt: skip
def test_a_figure_has_three_digits_and_no_powers_of_ten(value, text):
    assert number(value) == text


def test_a_length_of_clinical_size_has_hundredths_and_a_small_one_what_it_needs():
    assert (length(2.7182), length(0.5), length(123.456)) == ("2.72", "0.50", "123.46")
    assert (length(0.0031), length(0.0031, like=0.012)) == ("0.00310", "0.0031")
    assert length(None) == "-"


@pytest.mark.parametrize("extent", [None, 0, 20, 150, 800])
def test_clinical_images_are_judged_at_the_usual_thresholds(extent):
    assert fitting_thresholds(extent) == CLINICAL_THRESHOLDS_MM


@pytest.mark.parametrize(
    ("extent", "thresholds"),
    [
        (2.0, (0.002, 0.005, 0.01, 0.02)),
        (0.9, (0.001, 0.002, 0.005, 0.01)),
        (12.0, (0.01, 0.02, 0.05, 0.1)),
        (20000.0, (20.0, 50.0, 100.0, 200.0)),
    ],
)
def test_others_are_judged_at_round_numbers_of_their_size(extent, thresholds):
    assert fitting_thresholds(extent) == thresholds
