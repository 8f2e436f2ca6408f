"""What else would move because of a person's point: asked once, taken in one step, never a label."""

import json

import numpy as np
import pytest
import slicer

from landmark_heatmap.annotation.landmarks import PointState
from landmark_heatmap.annotation.sets.draft import LandmarkSetDraft
from landmark_heatmap.dataset.record import Review
from LandmarkHeatmapLib.export import export_case
from LandmarkHeatmapLib.journal.journals import ReviewJournals
from LandmarkHeatmapLib.result import markups
from LandmarkHeatmapLib.review.by_hand import begin_by_hand, take_over
from LandmarkHeatmapLib.review.proposals import Found
from LandmarkHeatmapLib.review.session import ReviewSession
from mrml_examples import IMAGES, LANDMARKS, linear_transform

NAMES = LANDMARKS.names


class Asked:
    """A session whose questions are kept until the test answers them."""

    def __init__(self, result):
        self.result, self.session, self.questions = result, ReviewSession(result), []
        self.session.select("Tip", jump=False)
        self.session.proposals.on_question = self.questions.append

    def drag(self, name="Tip", by=(0.0, 0.0, 15.0)):
        places = markups.world_positions(self.result.markups_node)
        self.result.move(name, places[NAMES.index(name)] + np.array(by))

    def answer(self, by=(0.0, 6.0, 0.0), names=NAMES[:3], question=None, expected_mm=0.0):
        """All of these would move by so many voxels."""
        places = self.result.positions_ijk()
        found = [Found(n, places[NAMES.index(n)] + by, expected_mm) for n in names]
        return self.session.proposals.answer(question or self.questions[-1], found)

    @property
    def proposed(self) -> set:
        return set(self.session.proposals.distances)


@pytest.fixture
def asked(publish):
    made = []

    def begin(**what):
        made.append(Asked(publish(**what)))
        return made[-1]

    yield begin
    for each in made:
        each.session.release()


@pytest.fixture
def answered(asked):
    """Two landmarks are proposed to follow the tip, which was dragged."""
    review = asked()
    review.drag()
    assert review.answer()
    return review


def ghosts():
    nodes = slicer.mrmlScene.GetNodesByClass("vtkMRMLModelNode")
    nodes.UnRegister(None)
    each = [nodes.GetItemAsObject(index) for index in range(nodes.GetNumberOfItems())]
    return [node for node in each if "proposals" in node.GetName() and node.GetHideFromEditors()]


def test_a_drag_is_asked_about_with_all_that_a_person_judged(asked):
    review = asked()
    review.session.confirm(["Head_L", "Gone"])
    assert review.questions == []  # nothing was moved by that
    review.drag()
    (question,) = review.questions
    assert set(question.given) == {"Head_L", "Tip"}
    assert (question.new, question.absent) == (("Tip",), ("Gone",))
    np.testing.assert_allclose(question.given["Tip"], review.result.positions_ijk()[2])


def test_what_moves_by_less_than_a_voxel_is_not_asked_about_until_it_adds_up(asked):
    review = asked()
    for _ in range(2):
        review.drag(by=(0, 0, 0.9))
    assert review.questions == []
    review.drag(by=(0, 0, 0.9))
    assert len(review.questions) == 1


@pytest.mark.parametrize("kind", ["plain", "oblique", "left-handed", "anisotropic"])
@pytest.mark.parametrize("is_under_a_transform", [False, True])
def test_taking_all_is_one_step_and_judges_nothing(scene, asked, kind, is_under_a_transform):
    transform = linear_transform(scene) if is_under_a_transform else None
    review = asked(image=IMAGES[kind], transform=transform)
    review.drag()
    before = review.result.positions_ijk()
    assert review.answer()
    assert review.proposed == {"Head_L", "Head_R"}  # Tip is a person's
    review.session.follow()
    after = review.result.positions_ijk()
    np.testing.assert_allclose(after[:2], before[:2] + [0, 6, 0], atol=1e-6)
    np.testing.assert_array_equal(after[2], before[2])
    assert review.session.undo_text == "Undo: following of 2 landmarks"
    assert review.result.reviews()["Head_L"] is Review.UNTOUCHED
    assert review.result.followed() == {"Head_L": ("Tip",), "Head_R": ("Tip",)}
    assert review.proposed == set()
    assert ghosts() == []
    review.session.undo()
    np.testing.assert_array_equal(review.result.positions_ijk()[:3], before[:3])
    assert review.result.followed() == {}
    review.session.redo()
    assert set(review.result.followed()) == {"Head_L", "Head_R"}
    assert len(review.questions) == 1


def test_who_has_followed_whom_is_known_under_the_names_of_now(answered):
    answered.session.follow()
    draft = LandmarkSetDraft(answered.result.landmarks, is_in_use=True)
    draft.rename(NAMES.index("Tip"), "Apex")
    draft.rename(NAMES.index("Head_L"), "Caput_L")
    result = begin_by_hand(answered.result.volume_node, draft.to_set(), answered.result)
    take_over(result, answered.result)
    assert result.followed() == {"Caput_L": ("Apex",), "Head_R": ("Apex",)}
    assert result.review("Apex") is Review.CORRECTED


def test_who_follows_hears_of_all_that_is_taken_once(answered):
    told, changes = [], []
    answered.session.on_change = lambda: changes.append(answered.proposed)
    node = answered.result.markups_node
    node.AddObserver(node.PointModifiedEvent, lambda caller, event, data=None: told.append(event))
    answered.session.follow()
    assert (len(told), changes) == (1, [set()])


def test_what_is_left_stays_and_is_not_proposed_for_that_reason_again(answered):
    answered.session.proposals.leave()
    assert answered.proposed == set()
    assert answered.session.undo_text == "Undo: move of Tip"
    answered.drag("Head_L")
    assert answered.questions[-1].new == ("Head_L",)


def test_what_is_neither_taken_nor_left_is_asked_for_again_with_the_next(answered):
    answered.drag("Head_L")
    assert answered.proposed == set()
    assert answered.questions[-1].new == ("Head_L", "Tip")


def test_one_is_taken_alone_and_the_others_stay_proposed(answered):
    answered.session.follow(["Head_R"])
    assert answered.proposed == {"Head_L"}
    assert answered.session.undo_text == "Undo: following of Head_R"
    assert set(answered.result.followed()) == {"Head_R"}


def test_what_is_judged_meanwhile_is_proposed_no_more(answered):
    answered.session.confirm(["Head_L"])
    assert answered.proposed == {"Head_R"}
    answered.session.follow()
    assert answered.result.review("Head_L") is Review.CONFIRMED
    assert answered.result.moved_mm("Head_L") == 0


def test_an_answer_to_an_older_question_is_dropped(asked):
    review = asked()
    review.drag()
    review.drag(by=(9, 0, 0))
    assert not review.answer(question=review.questions[0])
    assert review.proposed == set()
    assert review.answer()
    # Neither does one hold once the drag was taken back.
    review.drag(by=(9, 0, 0))
    review.session.undo()
    assert not review.answer()
    assert review.proposed == set()
    assert ghosts() == []


def test_what_would_move_by_less_than_is_expected_of_it_anyway_is_not_proposed(asked):
    review = asked()
    review.drag()
    assert not review.answer(by=(0, 6, 0), expected_mm=12.5)
    review.drag()
    assert review.answer(by=(0, 6, 0), expected_mm=11.5)
    review.drag()
    assert not review.answer(by=(0, 0.9, 0))


def test_what_is_nowhere_in_the_image_does_not_follow(asked):
    review = asked()
    review.drag()
    places = [Found("Gone", np.array([10.0, 10.0, 10.0])), Found("Head_L", np.zeros(3))]
    assert review.session.proposals.answer(review.questions[-1], places)
    assert review.proposed == {"Head_L"}


def test_what_followed_is_exported_as_no_label_and_as_corrected_once_confirmed(asked, tmp_path):
    review = asked()
    review.drag()
    review.answer()
    review.session.follow()
    review.session.confirm(["Head_R"])
    revision = export_case(review.result, tmp_path / "data")
    points = json.loads((revision / "record.json").read_text(encoding="utf-8"))["points"]
    assert points["Head_L"] == {"review": "untouched", "state": "predicted", "followed": ["Tip"]}
    assert points["Head_R"] == {"review": "corrected", "state": "placed", "followed": ["Tip"]}
    assert points["Tip"] == {"review": "corrected", "state": "placed"}
    assert review.result.annotation().state("Head_L") is PointState.PREDICTED


def test_what_is_dragged_on_or_restored_follows_nobody(answered):
    answered.session.follow()
    answered.drag("Head_L")
    answered.session.restore(["Head_R"])
    assert answered.result.followed() == {}
    assert answered.result.review("Head_L") is Review.CORRECTED
    assert answered.result.moved_mm("Head_R") == 0


def test_it_is_kept_in_the_scene_and_where_the_volume_is_put_elsewhere(scene, asked):
    review = asked()
    review.drag()
    review.answer()
    review.session.follow()
    review.drag("Tip")
    assert review.answer(by=(6, 0, 0))
    (node,) = ghosts()
    before = np.array(node.GetPolyData().GetPoint(0))
    origin = review.result.volume_node.GetOrigin()
    review.result.volume_node.SetOrigin(*np.add(origin, (5, -7, 30)))
    np.testing.assert_allclose(node.GetPolyData().GetPoint(0) - before, [5, -7, 30], atol=1e-6)
    assert set(review.result.followed()) == {"Head_L", "Head_R"}
    assert review.result.review("Head_L") is Review.UNTOUCHED


def test_the_journal_brings_it_back(asked, tmp_path):
    review = asked()
    journals = ReviewJournals(tmp_path)
    journals.follow(review.result)
    review.drag()
    review.answer()
    review.session.follow()
    journals.release()
    volume = review.result.volume_node
    review.session.release()
    review.result.remove()
    (unfinished,) = ReviewJournals(tmp_path).find_for(volume)
    restored = ReviewJournals(tmp_path).restore(unfinished, volume)
    assert restored.followed() == {"Head_L": ("Tip",), "Head_R": ("Tip",)}
    assert restored.review("Head_L") is Review.UNTOUCHED
    assert restored.review("Tip") is Review.CORRECTED


def test_ghosts_are_in_no_list_not_saved_and_gone_with_the_review(answered):
    (node,) = ghosts()
    assert not node.GetSaveWithScene()
    assert not node.GetDisplayNode().GetSaveWithScene()
    assert node.GetPolyData().GetNumberOfLines() > 2
    answered.session.release()
    assert ghosts() == []
