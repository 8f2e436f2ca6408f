"""Two processes annotate one worklist at once: nothing is lost, and nothing done twice unasked.

A thousand steps of each are Testing/robustness/two_annotators.py.
"""

import shutil

import pytest

from random_annotator import faults, work_together


@pytest.fixture(scope="module")
def worked(tmp_path_factory):
    """The folder, and what was told."""
    folder = tmp_path_factory.mktemp("worked")
    return folder, work_together(folder, 150)


def told_of(told, what):
    return [each for each in told if each["what"] == what]


def test_two_at_work_lose_nothing_and_do_nothing_twice_unasked(worked):
    folder, told = worked
    assert faults(folder, told) == []
    # They did work, both of them, and were in each other's way.
    assert {each["by"] for each in told_of(told, "exported")} == {"anna", "otto"}
    assert len(told_of(told, "exported")) > 20
    assert [each for each in told_of(told, "took") if each["how"] == "next"]


def test_an_export_that_is_gone_or_changed_would_be_seen(worked, tmp_path):
    folder, told = worked
    copy = shutil.copytree(folder, tmp_path / "copy")
    first = told_of(told, "exported")[0]
    case = copy / "data" / "cases" / first["case"]
    shutil.rmtree(case)
    assert any("is gone" in each for each in faults(copy, told))
    other = [{**each, "place": [9, 9, 9]} if each is first else each for each in told]
    assert any("is not what" in each for each in faults(folder, other))


def test_what_is_done_twice_or_in_two_hands_would_be_seen(worked):
    folder, told = worked
    first = next(each for each in told_of(told, "took") if each["how"] == "next")
    unasked = [each for each in told if each["what"] != "asks"]
    again = [{**each, "revision": 1} if each is first else each for each in unasked]
    assert any("again unasked" in each for each in faults(folder, again))
    took = told_of(told, "took")[0]
    twice = sorted(
        [*told, {**took, "by": "somebody", "at": took["at"] + 1}], key=lambda each: each["at"]
    )
    assert any("which" in each and "had" in each for each in faults(folder, twice))
