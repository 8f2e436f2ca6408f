"""The lock of a case in work: a file with a name and a time that one at a time has."""

import os
import subprocess
import sys
import threading
import time

import pytest

from landmark_heatmap.errors import CaseInWorkError, DatasetError
from landmark_heatmap.worklist.entries import CaseState, Worklist
from landmark_heatmap.worklist.locks import STALE_AFTER_S, CaseLock, holder_of
from landmark_heatmap.worklist.order import next_free
from places import MODULE_FOLDER


@pytest.fixture
def dataset(tmp_path):
    return tmp_path / "data"


def files_of(dataset):
    return sorted(path.name for path in (dataset / "worklist").iterdir())


def let_it_age(lock, seconds=STALE_AFTER_S + 60):
    """As if it had not been refreshed for so long."""
    then = time.time() - seconds
    os.utime(lock.path, (then, then))


def test_a_case_in_work_is_refused_with_who_and_since_when(dataset):
    CaseLock.take(dataset, "case-1", "Anna")
    with pytest.raises(CaseInWorkError, match=r"'case-1' is in work: Anna on .*, since 20.* UTC"):
        CaseLock.take(dataset, "case-1", "Otto")
    with pytest.raises(CaseInWorkError):
        CaseLock.take(dataset, "case-1", "Otto", take_over=True)  # for it is not stale
    CaseLock.take(dataset, "case-2", "Otto")


def test_a_case_that_was_released_can_be_had_by_the_next(dataset):
    CaseLock.take(dataset, "case-1", "Anna").release()
    assert holder_of(dataset, "case-1")[1] is None
    lock = CaseLock.take(dataset, "case-1", "Otto")
    assert lock.is_held and lock.taken_over_from is None
    assert holder_of(dataset, "case-1")[1].annotator == "Otto"
    assert files_of(dataset) == ["case-1.lock-000002.json"]


def test_a_stale_lock_is_taken_over_when_asked_for_saying_whose_it_was(dataset):
    old = CaseLock.take(dataset, "case-1", "Anna")
    let_it_age(old)
    with pytest.raises(CaseInWorkError, match="11 min. It can be taken over"):
        CaseLock.take(dataset, "case-1", "Otto")
    new = CaseLock.take(dataset, "case-1", "Otto", take_over=True)
    assert new.taken_over_from.annotator == "Anna"
    assert not old.is_held and not old.refresh()
    old.release()  # which is nothing any more
    assert new.is_held and holder_of(dataset, "case-1")[1].annotator == "Otto"


@pytest.mark.skipif(os.name == "nt", reason="the number of a process may be another's there")
def test_who_crashed_on_this_computer_need_not_be_waited_for(dataset):
    code = "import sys; from landmark_heatmap.worklist.locks import CaseLock as L;"
    code += "L.take(sys.argv[1], 'case-1', 'Anna')"
    path = {**os.environ, "PYTHONPATH": str(MODULE_FOLDER)}
    subprocess.run([sys.executable, "-c", code, str(dataset)], check=True, env=path)
    holder = holder_of(dataset, "case-1")[1]
    assert holder.annotator == "Anna" and holder.is_stale and holder.silent_s < STALE_AFTER_S
    with pytest.raises(CaseInWorkError, match="has ended. It can be taken over"):
        CaseLock.take(dataset, "case-1", "Anna")
    assert CaseLock.take(dataset, "case-1", "Anna", take_over=True).is_held


def test_a_lock_that_is_refreshed_does_not_become_stale(dataset):
    lock = CaseLock.take(dataset, "case-1")
    let_it_age(lock)
    assert holder_of(dataset, "case-1")[1].is_stale
    assert lock.refresh()
    assert not holder_of(dataset, "case-1")[1].is_stale


def test_the_clock_of_this_computer_does_not_count(dataset, monkeypatch):
    CaseLock.take(dataset, "case-1", "Anna")
    ahead = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: ahead)
    assert not holder_of(dataset, "case-1")[1].is_stale


def test_of_many_who_try_at_once_one_has_it(dataset):
    stale = CaseLock.take(dataset, "case-1", "Gone")
    let_it_age(stale)
    start, had = threading.Barrier(8), []

    def try_it(number):
        start.wait()
        try:
            had.append(CaseLock.take(dataset, "case-1", str(number), take_over=True))
        except CaseInWorkError as error:
            assert " on " in str(error)

    threads = [threading.Thread(target=try_it, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    (lock,) = had
    assert lock.is_held and lock.taken_over_from.annotator == "Gone"


def test_a_lock_that_is_just_being_written_is_somebodys(dataset):
    (dataset / "worklist").mkdir(parents=True)
    (dataset / "worklist" / "case-1.lock-000004.json").write_bytes(b"")
    with pytest.raises(CaseInWorkError, match="Somebody on an unknown computer"):
        CaseLock.take(dataset, "case-1", "Otto")


def test_names_that_begin_alike_are_cases_of_their_own(dataset):
    CaseLock.take(dataset, "case-1")
    CaseLock.take(dataset, "case-1.lock-000001.json")
    CaseLock.take(dataset, "case-10")
    assert holder_of(dataset, "case-1")[0] == 1
    with pytest.raises(DatasetError, match="cannot be a case name"):
        CaseLock.take(dataset, "../case")


def test_the_list_shows_who_has_a_case_and_passes_it_over(dataset, tmp_path):
    import numpy as np

    from landmark_heatmap.images.geometry import Image
    from landmark_heatmap.images.imageio import write_image

    (tmp_path / "scans").mkdir()
    write_image(tmp_path / "scans" / "a.nrrd", Image(np.zeros((2, 3, 4), np.int16), np.eye(4)))
    worklist = Worklist(dataset, tmp_path / "scans")
    (entry,) = worklist.entries()
    lock = CaseLock.take(dataset, entry.case, "Anna")
    (entry,) = worklist.entries()
    assert (entry.state, entry.annotator) == (CaseState.IN_REVIEW, "Anna")
    assert next_free([entry]) is None
    let_it_age(lock)
    (entry,) = worklist.entries()
    # Who begins one that was left would do the work of somebody else: only when asked to.
    assert entry.holder.is_stale and next_free([entry]) is None
    # What was exported is done, though nobody could let go of it.
    (dataset / "cases" / entry.case / "revision-001").mkdir(parents=True)
    (entry,) = worklist.entries()
    assert entry.state is CaseState.DONE and entry.is_free
