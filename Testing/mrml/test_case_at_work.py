"""A case of a worklist in the scene: opened, left, opened again with all that was judged."""

import numpy as np
import pytest
import SimpleITK as sitk
import slicer

from landmark_heatmap.annotation.landmarks import Landmark, LandmarkSet
from landmark_heatmap.dataset.record import Review
from landmark_heatmap.errors import DatasetError, RevisedMeanwhileError
from landmark_heatmap.images.geometry import PX, Image
from landmark_heatmap.images.imageio import read_image, write_image
from landmark_heatmap.worklist.entries import CaseState, Worklist
from landmark_heatmap.worklist.locks import CaseLock
from LandmarkHeatmapLib.case_at_work import CaseAtWork, add_case_volume, image_to_open, open_case
from LandmarkHeatmapLib.export import CaseExport, export_case, suggest_case
from LandmarkHeatmapLib.result.detection_result import DetectionResult
from LandmarkHeatmapLib.review.by_hand import begin_by_hand
from LandmarkHeatmapLib.volumes import unit_of
from mrml_examples import IMAGES, LANDMARKS, loaded, make_prediction, oblique


@pytest.fixture
def worklist(tmp_path):
    """Of one image, obliquely placed."""
    (tmp_path / "scans").mkdir()
    write_image(tmp_path / "scans" / "Miller.nrrd", IMAGES["oblique"])
    return Worklist(tmp_path / "data", tmp_path / "scans")


def open_first(scene, worklist):
    (entry,) = worklist.entries()
    lock = CaseLock.take(worklist.dataset, entry.case, "Anna")
    return open_case(scene, worklist, lock, read_image(image_to_open(worklist, lock)))


def test_an_image_that_was_loaded_by_itself_is_the_case_of_the_worklist(scene, worklist):
    (entry,) = worklist.entries()
    volume = loaded(scene, entry.image)
    assert suggest_case(volume, worklist.dataset) == entry.case
    result = DetectionResult.publish(volume, make_prediction(IMAGES["oblique"]))
    for name in LANDMARKS.names:
        result.confirm(name)
    export_case(result, worklist.dataset)
    (entry,) = worklist.entries()
    assert (entry.title, entry.state) == ("Miller", CaseState.DONE)


def test_a_volume_that_is_not_what_its_file_holds_is_a_case_of_its_own(scene, worklist):
    (entry,) = worklist.entries()
    changed, gone = (loaded(scene, entry.image) for _ in range(2))
    slicer.util.updateVolumeFromArray(changed, slicer.util.arrayFromVolume(changed) + 1)
    assert suggest_case(changed, worklist.dataset) == "case-0001"
    entry.image.unlink()
    assert suggest_case(gone, worklist.dataset) == "case-0001"


def judge_some(result):
    """One of every kind of judgement; the last one is left untouched."""
    result.confirm("Head_L")
    result.move("Head_R", [5, 6, 7])
    result.mark_absent("Tip")


def test_an_export_goes_to_the_case_that_was_opened(scene, worklist):
    work = open_first(scene, worklist)
    assert work.volume_node.GetName() == "Miller" and work.case.startswith("case-")
    assert suggest_case(work.volume_node, worklist.dataset) == work.case
    assert suggest_case(work.volume_node, worklist.dataset.with_name("other")) == "case-0001"
    result = DetectionResult.publish(work.volume_node, make_prediction(IMAGES["oblique"]))
    for name in LANDMARKS.names:
        result.confirm(name)
    revision = export_case(result, worklist.dataset, annotator="Anna", after=work.revision)
    assert revision.parent.name == work.case
    work.lock.release()
    (entry,) = worklist.entries()
    assert (entry.state, entry.annotator) == (CaseState.DONE, "Anna")


def test_a_revision_is_opened_as_it_was_left(scene, worklist):
    work = open_first(scene, worklist)
    result = DetectionResult.publish(work.volume_node, make_prediction(IMAGES["oblique"]))
    judge_some(result)
    export_case(result, worklist.dataset)
    then = result.reviews(), result.positions_ijk(), result.predicted_positions_lps()
    confidences, model, waiting = result.confidences(), result.model, result.waiting()
    work.remove()
    work.lock.release()
    again = open_first(scene, worklist)
    (result,) = DetectionResult.all(scene)
    assert result.reviews() == then[0]
    np.testing.assert_allclose(result.positions_ijk(), then[1], atol=1e-4)
    np.testing.assert_allclose(result.predicted_positions_lps(), then[2], atol=1e-4)
    assert (result.confidences(), result.model) == (pytest.approx(confidences), model)
    assert result.waiting() == waiting == []
    assert not again.is_touched
    assert export_case(result, worklist.dataset, after=again.revision).name == "revision-002"
    assert [each.revision for each in worklist.entries()] == [2]


def test_what_was_placed_by_hand_is_opened_as_it_was_left(scene, worklist):
    work = open_first(scene, worklist)
    result = begin_by_hand(work.volume_node, LANDMARKS)
    result.move("Tip", [1, 2, 3])
    result.mark_absent("Gone")
    export_case(result, worklist.dataset)
    then, places = result.reviews(), result.positions_ijk()
    work.remove()
    work.lock.release()
    open_first(scene, worklist)
    (result,) = DetectionResult.all(scene)
    assert result.reviews() == then and result.model is None
    assert result.waiting() == ["Head_L", "Head_R"]
    np.testing.assert_allclose(result.positions_ijk(), places, atol=1e-4)


def test_a_photograph_comes_back_in_pixels(scene, tmp_path):
    (tmp_path / "scans").mkdir()
    picture = sitk.GetImageFromArray(np.arange(20 * 30, dtype=np.uint8).reshape(20, 30))
    sitk.WriteImage(picture, str(tmp_path / "scans" / "wing.png"))
    worklist = Worklist(tmp_path / "data", tmp_path / "scans")
    work = open_first(scene, worklist)
    assert unit_of(work.volume_node) == PX
    result = begin_by_hand(work.volume_node, LandmarkSet((Landmark("A"),)))
    result.move("A", [-12.25, -7.5, 0])
    export_case(result, worklist.dataset)
    work.remove()
    work.lock.release()
    again = open_first(scene, worklist)
    (result,) = DetectionResult.all(scene)
    assert unit_of(again.volume_node) == result.unit == PX
    np.testing.assert_allclose(result.positions_ijk(), [[12.25, 7.5, 0]], atol=1e-4)


def test_a_case_knows_whether_anything_was_done_that_no_revision_has(scene, worklist):
    work = open_first(scene, worklist)
    assert not work.is_touched
    result = DetectionResult.publish(work.volume_node, make_prediction(IMAGES["oblique"]))
    assert not work.is_touched
    result.confirm("Tip")
    assert work.is_touched
    revision = export_case(result, worklist.dataset, after=work.revision)
    work.exported(CaseExport.of(result, worklist.dataset), int(revision.name[-3:]))
    assert not work.is_touched
    result.restore_prediction("Tip")
    assert work.is_touched
    export_case(result, worklist.dataset, after=work.revision)


def test_what_somebody_exported_meanwhile_stays_the_newest(scene, worklist):
    work = open_first(scene, worklist)
    result = DetectionResult.publish(work.volume_node, make_prediction(IMAGES["oblique"]))
    result.confirm("Tip")
    export_case(result, worklist.dataset, annotator="Otto")
    with pytest.raises(RevisedMeanwhileError, match="Otto has exported"):
        export_case(result, worklist.dataset, annotator="Anna", after=work.revision)
    assert [each.revision for each in worklist.entries()] == [1]


def test_removing_a_case_leaves_nothing_of_it_in_the_scene(scene, worklist):
    before = scene.GetNumberOfNodes()
    work = open_first(scene, worklist)
    DetectionResult.publish(work.volume_node, make_prediction(IMAGES["oblique"]))
    begin_by_hand(work.volume_node, LANDMARKS)
    work.remove()
    assert not work.is_there and not work.is_touched
    left = [scene.GetNthNode(n).GetName() for n in range(scene.GetNumberOfNodes())]
    assert not [name for name in left if name and "Miller" in name]
    # Colour tables and the like that a first volume brings stay.
    first = scene.GetNumberOfNodes()
    open_first_again = add_case_volume(
        scene, worklist.entries()[0], worklist.dataset, IMAGES["oblique"]
    )
    CaseAtWork(work.lock, "x", open_first_again).remove()
    assert scene.GetNumberOfNodes() == first >= before


def test_a_case_without_an_image_here_says_what_to_do(scene, worklist, tmp_path):
    work = open_first(scene, worklist)
    result = DetectionResult.publish(work.volume_node, make_prediction(IMAGES["oblique"]))
    export_case(result, worklist.dataset, with_image=False)
    with pytest.raises(DatasetError, match="exported without. Choose the folder"):
        image_to_open(Worklist(worklist.dataset), work.lock)


def test_a_damaged_record_is_told(scene, worklist):
    work = open_first(scene, worklist)
    result = DetectionResult.publish(work.volume_node, make_prediction(IMAGES["oblique"]))
    revision = export_case(result, worklist.dataset)
    work.lock.release()
    text = (revision / "record.json").read_text(encoding="utf-8")
    (revision / "record.json").write_text(text.replace('"untouched"', '"forgotten"'))
    with pytest.raises(DatasetError, match=r"record\.json' does not say how its points came about"):
        open_first(scene, worklist)
    # Nothing of it is left in the scene but what was there before.
    assert [each.volume_node for each in DetectionResult.all(scene)] == [work.volume_node]


def test_it_holds_under_any_orientation(scene, tmp_path):
    (tmp_path / "scans").mkdir()
    image = Image(IMAGES["plain"].array, oblique([1.0, 2.0, 3.0], hand=-1))
    write_image(tmp_path / "scans" / "a.nrrd", image)
    worklist = Worklist(tmp_path / "data", tmp_path / "scans")
    work = open_first(scene, worklist)
    result = DetectionResult.publish(work.volume_node, make_prediction(image))
    judge_some(result)
    places = result.positions_ijk()
    export_case(result, worklist.dataset)
    work.remove()
    work.lock.release()
    open_first(scene, worklist)
    (again,) = DetectionResult.all(scene)
    np.testing.assert_allclose(again.positions_ijk(), places, atol=1e-3)
    assert again.review("Head_R") is Review.CORRECTED
