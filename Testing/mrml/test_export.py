"""From the scene into a dataset folder that training reads."""

import numpy as np
import pytest

from landmark_heatmap.annotation.landmarks import PointState
from landmark_heatmap.dataset.cases import read_cases
from landmark_heatmap.errors import DatasetError
from landmark_heatmap.images.imageio import read_image
from LandmarkHeatmapLib.export import export_case
from LandmarkHeatmapLib.result import markups
from mrml_examples import IMAGES, LANDMARKS, RAS, in_view, linear_transform, ready


@pytest.mark.parametrize("make_transform", [None, linear_transform])
@pytest.mark.parametrize("kind", IMAGES)
def test_what_is_dragged_and_exported_is_what_training_reads(
    scene, publish, slice_views, tmp_path, kind, make_transform
):
    transform = make_transform and make_transform(scene)
    result = publish(IMAGES[kind], transform=transform)
    start = ready(result, slice_views)
    view = slice_views["Red"]
    view.drag(start, start + in_view(view, 4, 3))

    export_case(result, tmp_path / "data", annotator="A. Reader")

    (case,) = read_cases(tmp_path / "data")
    image = read_image(case.image_path)
    np.testing.assert_array_equal(image.array, IMAGES[kind].array)
    np.testing.assert_allclose(image.ijk_to_lps, IMAGES[kind].ijk_to_lps, atol=1e-5)
    assert case.annotation.state("Head_L") is PointState.PLACED
    assert case.annotation.state("Head_R") is PointState.PREDICTED
    assert case.annotation.state("Gone") is PointState.UNJUDGED
    # In the volume's own coordinates, the point lies as far from its prediction as it was dragged.
    predicted = result.predicted_annotation().position_lps("Head_L")
    moved = case.annotation.position_lps("Head_L") - predicted
    if make_transform is None:
        now = markups.world_positions(result.markups_node)[0]
        np.testing.assert_allclose(case.annotation.position_lps("Head_L"), now * RAS, atol=1e-6)
    assert np.linalg.norm(moved) == pytest.approx(5, abs=1)


def test_a_second_export_adds_a_revision_and_changes_nothing_of_the_first(publish, tmp_path):
    result = publish()
    first = export_case(result, tmp_path / "data", "patient-one")
    contents = {path: path.read_bytes() for path in first.rglob("*")}
    result.move("Tip", [1, 2, 3])
    second = export_case(result, tmp_path / "data", "patient-one")
    assert first.parent == second.parent
    assert second.name == "revision-002"
    assert {path: path.read_bytes() for path in first.rglob("*")} == contents
    (case,) = read_cases(tmp_path / "data")
    np.testing.assert_allclose(case.annotation.position_lps("Tip"), [-1, -2, 3])
    assert len(list(first.parent.glob("image*"))) == 1


def test_a_volume_is_exported_as_the_same_case_again_and_into_another_dataset_anew(
    publish, tmp_path
):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    export_case(publish(name="Stranger"), theirs)
    result = publish(name="Scan")
    first = export_case(result, ours)
    again = export_case(result, ours)
    elsewhere = export_case(result, theirs)
    assert (first.parent.name, again.name) == (again.parent.name, "revision-002")
    assert elsewhere.parent.name == "case-0002"
    assert elsewhere.name == "revision-001"


def test_the_record_says_who_did_what_with_which_model(publish, tmp_path):
    import json

    result = publish()
    result.move("Tip", [1, 2, 3])
    result.confirm("Head_R")
    result.mark_absent("Head_L")
    folder = export_case(result, tmp_path / "data", annotator="A. Reader")
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    assert record["annotator"] == "A. Reader"
    assert record["model"]["sha256"] == "ab" * 32
    assert not record["complete"]
    assert {name: point["review"] for name, point in record["points"].items()} == {
        "Head_L": "marked_absent",
        "Head_R": "confirmed",
        "Tip": "corrected",
        "Gone": "untouched",
    }
    assert (folder / "prediction.mrk.json").exists()


def test_no_name_in_the_dataset_comes_from_the_scene(publish, tmp_path):
    """Volumes are often named after patients."""
    export_case(publish(name="DOE^JANE 1950-01-01"), tmp_path / "data")
    for path in (tmp_path / "data").rglob("*"):
        assert "DOE" not in path.name
        assert path.is_dir() or b"DOE" not in path.read_bytes()


def test_an_export_without_the_image_says_so_and_is_not_trained_from(publish, tmp_path):
    folder = export_case(publish(), tmp_path / "data", with_image=False)
    assert not list(folder.parent.glob("image*"))
    assert read_cases(tmp_path / "data") == []


def test_a_dataset_of_other_landmarks_is_refused(publish, tmp_path):
    from landmark_heatmap.annotation.landmarks import Landmark, LandmarkSet
    from landmark_heatmap.dataset.folder import create_dataset

    create_dataset(tmp_path / "data", LandmarkSet((Landmark("Nose"),)))
    with pytest.raises(DatasetError, match="Nose"):
        export_case(publish(), tmp_path / "data")
    assert LANDMARKS.names[0] not in (tmp_path / "data" / "dataset.json").read_text(
        encoding="utf-8"
    )
