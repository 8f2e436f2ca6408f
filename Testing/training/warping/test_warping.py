"""Annotated images become cases whose landmarks lie exactly as in points without images."""

import csv
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from landmark_heatmap.annotation.annotation_files import write_annotation
from landmark_heatmap.annotation.landmarks import Annotation, Point, PointState
from landmark_heatmap.errors import DatasetError
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.images.imageio import read_image, write_image
from landmark_training.cli import main
from landmark_training.data.cases import find_cases
from landmark_training.planning.config import TrainConfig
from landmark_training.warping import warp as warp_module
from landmark_training.warping.cases import Folded, Template, backward_map, grid_in, pulled
from landmark_training.warping.shapes import Configuration, mixed, read_configurations
from landmark_training.warping.warp import How, warp_cases

NAMES = [f"p{n}" for n in range(8)]
PLACES = np.random.default_rng(0).uniform(-12, 12, (8, 3))
# Each landmark is a ball as bright as its number says.
RADIUS = 3.0


def ball_image(places=PLACES, half=20, floor=0):
    grid = grid_in(np.full(3, -half), np.full(3, half), 1.0)
    k, j, i = np.indices(grid.size_ijk[::-1])
    voxels = grid.to_lps(np.stack([i, j, k], axis=-1))
    array = np.full(k.shape, floor, np.int16)
    for number, place in enumerate(places):
        near = np.linalg.norm(voxels - place, axis=-1) < RADIUS
        array[near] = 100 + 20 * number
    return Image(array, grid.ijk_to_lps)


def annotation(places, names=NAMES):
    return Annotation(
        {
            name: Point(PointState.PLACED, tuple(p), definition=f"the {name}")
            for name, p in zip(names, places)
        }
    )


def configuration(seed=1, move=1.5):
    turn = np.linalg.qr(np.eye(3) + np.random.default_rng(seed).normal(0, 0.1, (3, 3)))[0]
    turn *= np.sign(np.diag(turn))
    return (
        PLACES @ turn.T * 1.1 + [30, -10, 5] + np.random.default_rng(seed).normal(0, move, (8, 3))
    )


@pytest.fixture
def folders(tmp_path):
    images, shapes = tmp_path / "images", tmp_path / "points"
    images.mkdir(), shapes.mkdir()
    write_image(images / "balls.nrrd", ball_image())
    write_annotation(images / "balls.mrk.json", annotation(PLACES))
    for seed in (1, 2, 3):
        write_annotation(shapes / f"person-{seed}.mrk.json", annotation(configuration(seed)))
    return images, shapes


def warped(folders, tmp_path, **how):
    images, shapes = folders
    told = []
    how = replace(How(cases=3, jitter_mm=0.0, mixtures=0.0), **how)
    warp_cases([images], [shapes], tmp_path / "warped", how, told.append)
    return find_cases([tmp_path / "warped"]), told


def test_the_landmarks_lie_exactly_as_in_the_points(folders, tmp_path):
    cases, _ = warped(folders, tmp_path)

    found = {tuple(case.annotation.positions_lps(NAMES).round(6).ravel()) for case in cases}

    assert found == {tuple(configuration(seed).round(6).ravel()) for seed in (1, 2, 3)}
    assert cases[0].annotation.points["p3"].definition == "the p3"


def test_the_image_shows_at_each_landmark_what_it_showed_there():
    template = Template("balls", ball_image(), PLACES, {})
    places = configuration(move=0.8)
    spline = backward_map(template, places)
    grid = grid_in(places.min(0) - 6, places.max(0) + 6, 0.5)

    array = pulled(template, spline, grid)

    for number, voxel in enumerate(np.round(grid.to_ijk(places)).astype(int)):
        assert array[tuple(voxel[::-1])] == pytest.approx(100 + 20 * number, abs=2), number


def test_the_quick_map_of_an_image_is_the_exact_one():
    from landmark_training.warping.cases import _quickly

    spline = backward_map(Template("balls", ball_image(), PLACES, {}), configuration())
    places = np.random.default_rng(2).uniform(-50, 50, (100, 3))
    assert np.abs(_quickly(spline, places) - spline.at(places)).max() < 1e-3


def test_what_a_case_is_made_of_is_kept(folders, tmp_path):
    warped(folders, tmp_path, cases=6, mixtures=1.0)

    with open(tmp_path / "warped" / "warped.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    assert len(rows) == 6
    assert {row["configuration"] for row in rows} == {"person-1", "person-2", "person-3"}
    assert all(row["other"] not in ("", row["configuration"]) for row in rows)
    assert all(0.1 <= float(row["share_of_other"]) <= 0.5 for row in rows)


def test_the_same_seed_makes_the_same_cases(folders, tmp_path):
    images, shapes = folders
    how = How(cases=2, cut_mm=3, air_mm=3, seed=7, looks=TrainConfig(contrast=1.0))
    for name in ("one", "two"):
        warp_cases([images], [shapes], tmp_path / name / "w", how, lambda text: None)
    one, two = (find_cases([tmp_path / name]) for name in ("one", "two"))
    for a, b in zip(one, two):
        assert a.annotation == b.annotation
        assert np.array_equal(read_image(a.image_path).array, read_image(b.image_path).array)


def test_a_mixture_lies_between_both_in_the_pose_of_the_first():
    one = Configuration("one", PLACES)
    turned = Configuration("other", configuration(move=0.0))
    # The same shape, a tenth larger, lying elsewhere: half of it is a twentieth larger.
    half = mixed(one, turned, 0.5)
    centre = PLACES.mean(0)
    assert half == pytest.approx(centre + 1.05 * (PLACES - centre), abs=1e-9)


def test_points_that_change_places_fold_and_are_refused():
    places = PLACES.copy()
    close = int(np.argsort(np.linalg.norm(PLACES - PLACES[0], axis=1))[1])
    places[[0, close]] = places[[close, 0]]
    with pytest.raises(Folded, match="folds near landmark"):
        backward_map(Template("balls", ball_image(), PLACES, {}), places)


def test_if_every_map_folds_nothing_is_written_and_it_is_said(folders, tmp_path):
    images, shapes = folders
    for path in shapes.iterdir():
        path.unlink()
    write_annotation(shapes / "folded.mrk.json", annotation(-configuration(move=0.0)[::-1]))
    with pytest.raises(DatasetError, match="each one folds, the last one 'balls' to 'folded'"):
        warp_cases([images], [shapes], tmp_path / "w", How(cases=1, off_mm=1000), print)
    assert not (tmp_path / "w").exists()


def test_a_configuration_that_folds_is_passed_over_and_told_and_none_comes_twice(folders, tmp_path):
    write_annotation(folders[1] / "folded.mrk.json", annotation(-configuration(move=0.0)[::-1]))

    cases, told = warped(folders, tmp_path, off_mm=1000)

    assert len({case.annotation.position_lps("p0").round(3).tobytes() for case in cases}) == 3
    assert any("the map folds: 'balls' to 'folded'" in line for line in told)


def test_what_is_missing_or_far_off_is_put_where_the_others_say(folders, tmp_path):
    images, shapes = folders
    exact = configuration(seed=5, move=0.0)
    wrong = exact.copy()
    wrong[2] += 40
    write_annotation(shapes / "slip.mrk.json", annotation(wrong))
    write_annotation(shapes / "lacks.mrk.json", annotation(exact[1:], NAMES[1:]))

    found = {c.name: c for c in read_configurations([shapes], NAMES, PLACES, 10.0)}

    assert found["slip"].filled == ("p2",)
    assert found["lacks"].filled == ("p0",)
    for name in ("slip", "lacks"):
        assert found[name].positions == pytest.approx(exact, abs=1e-6)


def test_points_with_none_of_the_names_are_refused_in_plain_words(folders, tmp_path):
    images, shapes = folders
    write_annotation(shapes / "other.mrk.json", annotation(PLACES, [f"q{n}" for n in range(8)]))
    with pytest.raises(DatasetError, match="places 0 of the 8 landmarks that the images have"):
        warp_cases([images], [shapes], tmp_path / "w", How(cases=1), print)


def test_an_image_that_lacks_a_landmark_of_the_first_is_refused(folders, tmp_path):
    images, shapes = folders
    write_image(images / "other.nrrd", ball_image())
    write_annotation(images / "other.mrk.json", annotation(PLACES[:5]))
    with pytest.raises(DatasetError, match="lacks the landmarks p5, p6, p7"):
        warp_cases([images], [shapes], tmp_path / "w", How(cases=1), print)


def test_a_share_that_is_none_is_refused(folders, tmp_path):
    with pytest.raises(DatasetError, match="--mixtures is 1.5; it has to be from 0 to 1"):
        warped(folders, tmp_path, mixtures=1.5)


def test_surroundings_are_put_where_the_image_shows_nothing(folders, tmp_path):
    images, shapes = folders
    around = tmp_path / "around"
    around.mkdir()
    wide = ball_image(half=35)
    wide.array[:, :, -8:] = 150
    write_image(around / "wide.nrrd", wide)
    write_annotation(around / "wide.mrk.json", annotation(PLACES))

    cases, _ = warped(folders, tmp_path, around=(around,), around_share=1.0)

    image = read_image(cases[0].image_path)
    bare = read_image(warped(folders, tmp_path / "bare")[0][0].image_path)
    assert np.prod(image.array.shape) > 2 * np.prod(bare.array.shape)
    # The slab of the surroundings, and the balls of the image itself.
    assert (image.array > 0).mean() > 0.05
    places = image.grid.to_ijk(cases[0].annotation.positions_lps(NAMES)).round().astype(int)
    greys = [image.array[tuple(voxel[::-1])] for voxel in places]
    assert np.corrcoef(greys, range(8))[0, 1] > 0.9


def test_surroundings_whose_map_folds_are_left_out_and_told(folders, tmp_path):
    around = tmp_path / "around"
    around.mkdir()
    write_image(around / "wide.nrrd", ball_image(half=35))
    exchanged = PLACES[[1, 0, 3, 2, *range(4, 8)]]
    write_annotation(around / "wide.mrk.json", annotation(exchanged))

    cases, told = warped(folders, tmp_path, around=(around,), around_share=1.0)

    assert len(cases) == 3
    assert "'wide' around 'person-1'" in " ".join(told)
    with open(tmp_path / "warped" / "warped.csv", encoding="utf-8") as file:
        assert [row["surroundings"] for row in csv.DictReader(file)] == ["", "", ""]


def test_points_that_nobody_plainly_placed_are_told_and_predictions_are_none(folders, tmp_path):
    images, shapes = folders
    preview = (images / "balls.mrk.json").read_text(encoding="utf-8")
    (images / "balls.mrk.json").write_text(preview.replace('"defined"', '"preview"'))
    predicted = annotation(configuration(2)).points
    predicted["p5"] = replace(predicted["p5"], state=PointState.PREDICTED)
    write_annotation(shapes / "person-2.mrk.json", Annotation(predicted))

    _, told = warped(folders, tmp_path)

    assert told[0] == "The annotated images: Read as placed: 'preview' with a position (8)."
    assert told[1] == "The points: Read as not marked: predicted and never judged (1)."
    assert "person-2 (p5)" in told[2]


def test_points_that_cannot_be_used_are_told_before_an_image_is_read(
    folders, tmp_path, monkeypatch
):
    images, _ = folders
    monkeypatch.setattr(warp_module, "read_image", _must_not_be_called)
    for points, words in ((tmp_path / "typo", "There is no"), (images / "balls.nrrd", "no points")):
        with pytest.raises(DatasetError, match=words):
            warp_cases([images], [points], tmp_path / "out", How(cases=1))


def _must_not_be_called(*args, **more):
    raise AssertionError("an image is read")


def test_the_command_makes_what_fit_reads(folders, tmp_path, capsys):
    images, shapes = folders
    arguments = ["--data", str(images), "--to", str(shapes), "--cases", "2", "--spacing", "2"]
    settings = tmp_path / "looks.json"
    settings.write_text('{"grey_classes": 1.0, "slice_mm": 4}', encoding="utf-8")
    arguments += ["--looks", str(settings), "--output", str(tmp_path / "out")]

    assert main(["warp", *arguments]) == 0

    assert "2 cases in" in capsys.readouterr().out
    cases = find_cases([tmp_path / "out"])
    assert [case.name for case in cases] == ["out-0001", "out-0002"]
    assert read_image(cases[0].image_path).grid.spacing_mm == pytest.approx([2, 2, 2])


def test_a_folder_with_something_in_it_is_left_alone(folders, tmp_path, capsys):
    images, shapes = folders
    arguments = ["--data", str(images), "--to", str(shapes), "--cases", "1"]
    assert main(["warp", *arguments, "--output", str(images)]) == 2
    assert "nothing in it is overwritten" in capsys.readouterr().err
