"""The journal: whatever ends the application, the review of the same image goes on."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from beliefs import with_beliefs

from landmark_heatmap.annotation.doubt import Doubt
from landmark_heatmap.dataset.record import Review
from landmark_heatmap.errors import PredictionError
from landmark_heatmap.images.geometry import Image
from LandmarkHeatmapLib.export import export_case
from LandmarkHeatmapLib.journal.image_key import digest_of
from LandmarkHeatmapLib.journal.journal_file import JournalFile, journals_in
from LandmarkHeatmapLib.journal.journals import ReviewJournals
from LandmarkHeatmapLib.result.detection_result import DetectionResult
from LandmarkHeatmapLib.review.session import ReviewSession
from LandmarkHeatmapLib.volumes import add_volume
from mrml_examples import IMAGES, bending_transform, linear_transform, make_image, make_prediction
from places import MODULE_FOLDER, ROOT
from review_until_killed import told

needs_kill = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")


def start(folder, steps):
    paths = (MODULE_FOLDER, ROOT / "training", ROOT / "Testing" / "support")
    return subprocess.Popen(
        [sys.executable, str(paths[2] / "review_until_killed.py"), str(folder), str(steps)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
    )


def assert_same(now, then, atol=1e-4):
    for name, (review, ijk) in then.items():
        assert now[name][0] == review, name
        assert (now[name][1] is None) == (ijk is None), name
        if ijk is not None:
            np.testing.assert_allclose(now[name][1], ijk, atol=atol)


def reviewed(result, folder):
    """Its journals, after a step of every kind."""
    journals = ReviewJournals(folder)
    journals.follow(result)
    session = ReviewSession(result)
    session.select("Head_L")
    session.confirm()
    result.move("Head_R", [5, 6, 7])
    session.select("Tip")
    session.mark_absent()
    session.select("Gone")
    session.confirm()
    session.release()
    return journals


def lines_of(folder):
    (only,) = journals_in(folder)
    return only[0].read_bytes().splitlines()


# --- a crash


@needs_kill
def test_a_review_that_was_killed_goes_on_where_it_was(scene, tmp_path):
    process = start(tmp_path, 19)
    lines = process.stdout.read().splitlines()
    assert process.wait() == -signal.SIGKILL
    volume = add_volume(scene, make_image(), "Scan")
    journals = ReviewJournals(tmp_path)
    (found,) = journals.find_for(volume)
    assert found.damaged == 0 and found.steps > 12  # not every act changes something

    result = journals.restore(found, volume)

    assert_same(told(result), json.loads(lines[-1]))
    session = ReviewSession(result)
    assert session.undo_text == "Undo: restoring of the review"
    session.undo()
    assert set(result.reviews().values()) == {Review.UNTOUCHED} and not session.can_undo
    session.redo()
    assert_same(told(result), json.loads(lines[-1]))
    session.release()
    journals.release()


@needs_kill
def test_killed_at_any_moment_no_step_is_lost_that_was_done(scene, tmp_path):
    volume = add_volume(scene, make_image(), "Scan")
    chance = random.Random(7)
    for attempt in range(3):
        folder = tmp_path / str(attempt)
        process = start(folder, 0)
        wanted = chance.randrange(1, 60)
        lines = [process.stdout.readline() for _ in range(wanted)]
        process.kill()
        lines += process.stdout.read().splitlines(keepends=True)
        process.wait()
        done = [json.loads(line) for line in lines if line.endswith(b"\n")]
        journals = ReviewJournals(folder)
        (found,) = journals.find_for(volume)
        now = told(journals.restore(found, volume))
        journals.release()
        # The step under way may be there already: then the journal is one line ahead.
        try:
            assert_same(now, done[-1])
        except AssertionError:
            last = {name: mark for name, mark in now.items() if mark != done[-1][name]}
            assert len([n for n in last if not _is_close(now[n], done[-1][n])]) == 1


def _is_close(mark, other):
    same = mark[0] == other[0] and (mark[1] is None) == (other[1] is None)
    return same and (mark[1] is None or np.allclose(mark[1], other[1], atol=1e-4))


@needs_kill
def test_what_a_living_process_has_is_not_offered(scene, tmp_path):
    process = start(tmp_path, 0)
    process.stdout.readline()
    os.kill(process.pid, signal.SIGSTOP)  # it lives, and says nothing
    volume = add_volume(scene, make_image(), "Scan")
    try:
        journals = ReviewJournals(tmp_path, max_age_days=-1, max_count=0)
        assert len(journals_in(tmp_path)) == 1  # nor does it expire
        assert journals.find_for(volume) == []
    finally:
        process.kill()
        process.stdout.read()
        process.wait()
    assert len(journals.find_for(volume)) == 1


# --- what is offered


def test_it_is_offered_for_the_same_image_under_another_name_at_another_place(
    scene, publish, tmp_path
):
    result = publish(IMAGES["oblique"], transform=linear_transform(scene))
    reviewed(result, tmp_path).release()
    then = told(result)
    moved = np.eye(4)
    moved[:3, 3] = 17
    image = Image(IMAGES["oblique"].array, moved @ IMAGES["oblique"].ijk_to_lps)
    volume = add_volume(scene, image, "Other")
    volume.SetAndObserveTransformNodeID(bending_transform(scene).GetID())
    journals = ReviewJournals(tmp_path)
    (found,) = journals.find_for(volume)
    assert found.judged == 4
    again = journals.restore(found, volume)
    assert again.volume_node is volume
    assert_same(told(again), then)
    journals.release()


def test_it_is_not_offered_for_another_image(scene, publish, tmp_path):
    image = make_image()
    reviewed(publish(image), tmp_path).release()
    other, mirrored = image.array.copy(), image.ijk_to_lps @ np.diag([-1, 1, 1, 1])
    other[10, 10, 10] += 1
    journals = ReviewJournals(tmp_path)
    for each in (
        Image(other, image.ijk_to_lps),
        Image(image.array, mirrored),
        Image(image.array.reshape(44, 48, 40), image.ijk_to_lps),
        Image(image.array.astype(np.float32), image.ijk_to_lps),
    ):
        assert journals.find_for(add_volume(scene, each, "Scan")) == []
    assert len(journals.find_for(add_volume(scene, image, "Scan"))) == 1


def test_large_images_that_differ_in_one_slice_only_are_told_apart(scene):
    """Masked images are black but for a small part, and only pieces of large ones are read."""
    array = np.zeros((80, 512, 512), np.int16)
    volume = add_volume(scene, Image(array, np.eye(4)), "Scan")
    empty = digest_of(volume)
    array[40, 100:300, 100:300] = 7
    assert digest_of(add_volume(scene, Image(array, np.eye(4)), "Scan")) != empty


def test_a_detection_that_is_there_takes_it_up_with_its_heatmaps(scene, publish, tmp_path):
    first = publish()
    reviewed(first, tmp_path).release()
    then = told(first)
    scene.Clear(False)
    again, told_of = publish(), []
    session = ReviewSession(again, lambda: told_of.append(1))
    journals = ReviewJournals(tmp_path)
    (found,) = journals.find_for(again.volume_node)
    result = journals.restore(found, again.volume_node)
    assert result.node is again.node and result.heatmap_node("Tip") is not None
    assert_same(told(result), then)
    # The session that was there hears of one step, not of a dozen.
    assert session.undo_text == "Undo: restoring of the review"
    session.undo()
    assert not session.can_undo
    session.release()
    journals.release()


def test_without_a_detection_there_are_the_points_and_no_heatmaps(scene, publish, tmp_path):
    first = publish()
    reviewed(first, tmp_path).release()
    confidences = [first.confidence(name) for name in first.landmarks.names]
    predicted = first.predicted_positions_lps()
    scene.Clear(False)
    volume = add_volume(scene, make_image(), "Scan")
    journals = ReviewJournals(tmp_path)
    (found,) = journals.find_for(volume)
    result = journals.restore(found, volume)
    assert result.overlay_nodes == [] and result.is_whole
    assert [result.confidence(name) for name in result.landmarks.names] == confidences
    assert result.model == make_prediction(make_image()).model
    np.testing.assert_allclose(result.predicted_positions_lps(), predicted, atol=1e-4)
    session = ReviewSession(result)
    session.select("Head_L")
    assert session.snap() is False
    session.release()
    journals.release()


def test_another_models_detection_is_left_alone(scene, publish, tmp_path):
    first = publish()
    journals = reviewed(first, tmp_path)
    journals.release()
    (found,) = journals.find_for(first.volume_node)
    prediction = make_prediction(make_image())
    for point in prediction.points:
        point.position_lps[:] += 5
    scene.Clear(False)
    volume = add_volume(scene, make_image(), "Scan")
    other = DetectionResult.publish(volume, prediction)
    result = journals.restore(found, volume)
    assert result.node is not other.node
    assert set(other.reviews().values()) == {Review.UNTOUCHED}
    journals.release()


def test_a_restored_review_goes_on_in_one_journal(scene, publish, tmp_path):
    result = publish()
    reviewed(result, tmp_path).release()
    journals = ReviewJournals(tmp_path)
    (found,) = journals.find_for(result.volume_node)
    journals.restore(found, result.volume_node)
    assert len(journals_in(tmp_path)) == 1
    assert journals.find_for(result.volume_node) == []  # it is at work just now
    session = ReviewSession(result)
    session.select("Head_R")
    session.restore()
    then = told(result)
    session.release()
    journals.release()
    (again,) = journals.find_for(result.volume_node)
    assert again.path != found.path
    with pytest.raises(PredictionError, match="journal was removed"):
        journals.restore(found, result.volume_node)
    session = ReviewSession(result)
    session.undo()
    session.release()
    assert_same(told(journals.restore(again, result.volume_node)), then)
    journals.release()


# --- what ends it


def test_an_export_ends_it_and_the_next_step_begins_another(publish, tmp_path):
    result = publish()
    journals = reviewed(result, tmp_path / "journals")
    export_case(result, tmp_path / "data")
    journals.settle(result)
    assert journals_in(tmp_path / "journals") == []
    session = ReviewSession(result)
    session.select("Tip")
    session.restore()
    assert len(journals_in(tmp_path / "journals")) == 1
    then = told(result)
    session.release()
    journals.release()
    # The new one holds everything, not just what came after the export.
    (found,) = journals.find_for(result.volume_node)
    session = ReviewSession(result)
    while session.can_undo:
        session.undo()
    session.release()
    assert_same(told(journals.restore(found, result.volume_node)), then)
    journals.release()


@pytest.mark.parametrize("how", ["scene.mrb", "scene.mrml"])
def test_a_saved_scene_ends_it(scene, publish, tmp_path, how):
    result = publish()
    journals = reviewed(result, tmp_path / "journals")
    journals.settle_saved()
    assert len(journals_in(tmp_path / "journals")) == 1
    path = str(tmp_path / how)
    if how.endswith("mrb"):
        scene.WriteToMRB(path)
    else:
        scene.Commit(path)
        journals.settle_saved()
        assert len(journals_in(tmp_path / "journals")) == 1  # the points are not in that file
        result.markups_node.AddDefaultStorageNode()
        storage = result.markups_node.GetStorageNode()
        storage.SetFileName(str(tmp_path / "points.mrk.json"))
        assert storage.WriteData(result.markups_node)
    journals.settle_saved()
    assert journals_in(tmp_path / "journals") == []
    journals.release()


def test_a_closed_scene_leaves_it_and_lets_it_be_taken_up(scene, publish, tmp_path):
    journals = reviewed(publish(), tmp_path)
    journals.release()
    scene.Clear(False)
    volume = add_volume(scene, make_image(), "Scan")
    assert len(journals.find_for(volume)) == 1
    journals.discard(journals.find_for(volume)[0])
    assert journals.find_for(volume) == [] and journals_in(tmp_path) == []


def test_a_review_without_a_step_leaves_nothing_behind(publish, tmp_path):
    result = publish()
    journals = ReviewJournals(tmp_path / "journals")
    journals.follow(result)
    session = ReviewSession(result)
    session.select("Tip")
    session.next()
    session.release()
    journals.release()
    assert not (tmp_path / "journals").exists()


def test_old_ones_expire_and_so_do_the_oldest_of_too_many(tmp_path):
    for age in range(6):
        file = JournalFile.create(tmp_path)
        file.append({"age": age})
        file.release()
        when = time.time() - age * 24 * 3600
        os.utime(file.path, (when, when))
    (tmp_path / "another.txt").write_text("of somebody else")
    ReviewJournals(tmp_path, max_age_days=3.5, max_count=3)
    left = [
        json.loads(path.read_text(encoding="utf-8"))["age"]
        for path, _written in journals_in(tmp_path)
    ]
    assert left == [0, 1, 2]
    assert (tmp_path / "another.txt").is_file()


# --- what is in it


def test_there_is_no_name_of_the_image_in_it_and_only_its_owner_reads_it(publish, tmp_path):
    result = publish(name="Doe^Jane 1970-01-01")
    reviewed(result, tmp_path / "journals").release()
    ((path, _written),) = journals_in(tmp_path / "journals")
    assert "Doe" not in path.name and b"Doe" not in path.read_bytes()
    assert path.stat().st_size < 4000
    if os.name != "nt":
        assert path.stat().st_mode & 0o077 == 0 and path.parent.stat().st_mode & 0o077 == 0


def test_each_step_is_a_line_that_holds_what_it_changed(publish, tmp_path):
    reviewed(publish(), tmp_path).release()
    lines = [json.loads(line) for line in lines_of(tmp_path)]
    assert lines[0]["schema"] == "landmark-heatmap-journal"
    assert [line["step"] for line in lines[1:]] == [
        "confirmation of Head_L",
        "move of Head_R",
        "marking as absent of Tip",
        "confirmation of Gone",
    ]
    assert [list(line["marks"]) for line in lines[1:]] == [
        ["Head_L"],
        ["Head_R"],
        ["Tip"],
        ["Gone"],
    ]


@pytest.mark.parametrize("cut", [1, 2, 20, 40])
def test_a_last_line_that_is_torn_costs_that_step_alone(publish, tmp_path, cut):
    result = publish()
    journals = reviewed(result, tmp_path)
    journals.release()
    ((path, _written),) = journals_in(tmp_path)
    path.write_bytes(path.read_bytes()[:-cut])
    (found,) = journals.find_for(result.volume_node)
    if cut == 1:  # but for its end, which says nothing
        assert (found.steps, found.damaged) == (4, 0)
    else:
        assert (found.steps, found.damaged) == (3, 1)


@pytest.mark.parametrize(
    "damage",
    [
        b"\0" * 300,
        b'{"step":"x","marks":{"Tip":[[1,2,NaN],false,null]}}',
        b'{"step":"x","marks":{"Tip":[[1,2,1e999],false,null]}}',
        b'{"step":"x","marks":{"Tip":[[1,2],false,null]}}',
        b'{"step":"x","marks":{"Tip":[null,false,"wrong"]}}',
        b'{"step":"x","marks":{"Tip":[null,false,["confirmed"]]}}',
        b'{"step":"x","marks":{"Nobody":[null,false,null]}}',
        b'{"step":"x","marks":[]}',
        b'{"marks":{"Tip":3}}',
        b"[1, 2]",
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_a_damaged_line_in_between_costs_that_step_alone(publish, tmp_path, damage):
    result = publish()
    journals = reviewed(result, tmp_path)
    journals.release()
    then = told(result)
    ((path, _written),) = journals_in(tmp_path)
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([*lines[:3], damage, *lines[3:]]) + b"\n")
    (found,) = journals.find_for(result.volume_node)
    assert (found.steps, found.damaged) == (4, 1)
    assert_same(told(journals.restore(found, result.volume_node)), then)
    journals.release()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schema", "other"),
        ("schema_version", 2),
        ("created", 7),
        ("image", None),
        ("image", {"size_ijk": 3, "voxels_sha256": "x"}),
        ("landmark_set", {"landmarks": []}),
        ("landmark_set", {"landmarks": [{"name": "One"}]}),
        ("model", {"name": "M"}),
        ("model", []),
        ("confidences", [1]),
        ("confidences", ["x"] * 4),
        ("predicted", [[[1, 2, 3], False, None]] * 3),
        ("predicted", None),
    ],
)
def test_a_journal_without_a_beginning_is_offered_to_nobody(publish, tmp_path, key, value):
    result = publish()
    journals = reviewed(result, tmp_path)
    journals.release()
    ((path, _written),) = journals_in(tmp_path)
    lines = path.read_bytes().splitlines()
    document = {**json.loads(lines[0]), key: value}
    path.write_bytes(b"\n".join([json.dumps(document).encode(), *lines[1:]]) + b"\n")
    assert journals.find_for(result.volume_node) == []


def test_where_it_cannot_be_written_the_review_goes_on_and_it_is_told(publish, tmp_path):
    folder = tmp_path / "file"
    folder.write_text("where the folder should be")
    result = publish()
    journals = reviewed(result, folder)
    assert str(folder) in journals.problem and "is lost" in journals.problem
    assert result.review("Head_L") is Review.CONFIRMED
    folder.unlink()
    session = ReviewSession(result)
    session.select("Tip")
    session.restore()
    session.release()
    assert journals.problem == "" and len(lines_of(folder)) == 2
    journals.release()
    then = told(result)
    (found,) = journals.find_for(result.volume_node)
    assert_same(told(journals.restore(found, result.volume_node)), then)
    journals.release()


def test_half_a_line_of_a_disk_that_was_full_does_not_spoil_the_next(tmp_path, monkeypatch):
    file = JournalFile.create(tmp_path)
    write = os.write

    def short_of_space(handle, data):
        if len(data) > 5:
            return write(handle, data[:5])
        raise OSError(28, "No space left on device")

    file.append({"number": 1})
    monkeypatch.setattr(os, "write", short_of_space)
    with pytest.raises(OSError, match="No space left"):
        file.append({"n": 22222})
    monkeypatch.undo()
    file.append({"number": 3})
    assert file.read() == ([{"number": 1}, {"number": 3}], 1)
    file.release()


def test_two_reviews_at_once_are_kept_apart(publish, tmp_path):
    one, other = publish(), publish(IMAGES["anisotropic"], "Other")
    journals = ReviewJournals(tmp_path)
    for result in (one, other, one):
        journals.follow(result)
        session = ReviewSession(result)
        session.select("Tip")
        session.mark_absent() if result is other else session.confirm()
        session.release()
    assert len(journals_in(tmp_path)) == 2
    journals.settle(one)
    assert len(journals_in(tmp_path)) == 1
    journals.release()
    assert journals.find_for(one.volume_node) == []
    assert len(journals.find_for(other.volume_node)) == 1


def test_a_restored_review_knows_how_far_its_landmarks_may_be_off(scene, tmp_path):
    image = make_image()
    doubts = {"Tip": Doubt(2.0, 0.9, 4.0, 9.0, 1.5)}
    prediction = with_beliefs(make_prediction(image), doubts)
    prediction = replace(
        prediction, points=(*prediction.points[:3], make_prediction(image).points[3])
    )
    first = DetectionResult.publish(add_volume(scene, image, "Scan"), prediction)
    before = first.doubts()
    assert before[2] == doubts["Tip"] and before[3] is None
    reviewed(first, tmp_path).release()
    scene.Clear(False)
    volume = add_volume(scene, image, "Scan")
    journals = ReviewJournals(tmp_path)
    (found,) = journals.find_for(volume)
    assert journals.restore(found, volume).doubts() == before
    journals.release()


@pytest.mark.parametrize("doubts", [None, [], ["x"] * 4, [{"expected_mm": -1}] * 4])
def test_a_journal_from_before_there_were_doubts_is_as_good(scene, publish, tmp_path, doubts):
    journals = reviewed(publish(), tmp_path)
    journals.release()
    ((path, _written),) = journals_in(tmp_path)
    lines = path.read_bytes().splitlines()
    document = {**json.loads(lines[0]), "doubts": doubts}
    if doubts is None:
        del document["doubts"]
    path.write_bytes(b"\n".join([json.dumps(document).encode(), *lines[1:]]) + b"\n")
    scene.Clear(False)
    volume = add_volume(scene, make_image(), "Scan")
    (found,) = journals.find_for(volume)
    assert journals.restore(found, volume).doubts() == (None,) * 4
    journals.release()
