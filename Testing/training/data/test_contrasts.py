"""Looks of other scanners: what each setting changes, and that anatomy stays where it is."""

import dataclasses

import pytest

torch = pytest.importorskip("torch")

from pathlib import Path

from landmark_heatmap.errors import DatasetError
from landmark_training.data.cases import split_cases
from landmark_training.data.contrasts import is_asked_for, randomise
from landmark_training.data.feed import Feed
from landmark_training.data.targets import TargetShape
from landmark_training.fit import Job, get_ready
from landmark_training.planning.config import TrainConfig
from training_examples import TINY, make_eyes, write_pairs

EVERYTHING = {
    "contrast": 0.5,
    "grey_classes": 0.3,
    "inversion": 0.3,
    "uneven_brightness": 0.5,
    "blur_mm": 2.0,
    "sharpening": 2.0,
    "slice_mm": 4.0,
    "ghosts": 0.3,
}


def looked_at(images, seed=0, spacing=(1.0, 1.0, 1.0), **settings):
    generator = torch.Generator().manual_seed(seed)
    return randomise(images.clone(), spacing, TrainConfig(**settings), generator)


def ramp(count=8):
    """Images of all greys, rising along the last axis."""
    return torch.linspace(-1, 1, 24).expand(count, 1, 16, 20, 24).contiguous()


def test_nothing_is_changed_unless_it_is_asked_for():
    assert not is_asked_for(TrainConfig())
    assert torch.equal(looked_at(ramp()), ramp())


@pytest.mark.parametrize("setting", EVERYTHING)
def test_each_setting_changes_something_by_itself(setting):
    images = torch.rand(30, 1, 10, 12, 14, generator=torch.Generator().manual_seed(1)) * 2 - 1
    changed = looked_at(images, **{setting: EVERYTHING[setting]})
    assert changed.isfinite().all()
    assert (changed != images).any()


def test_a_rising_curve_keeps_the_order_of_greys_and_the_ends():
    changed = looked_at(ramp(20), contrast=1.0)
    steps = changed.diff(dim=-1)
    assert (steps >= -1e-5).all()
    assert (steps.amax(dim=(1, 2, 3, 4)) > steps.mean(dim=(1, 2, 3, 4)) * 1.2).any()
    assert changed[..., 0].max() == pytest.approx(-1, abs=1e-5)
    assert changed[..., -1].min() == pytest.approx(1, abs=1e-5)


def test_grey_classes_go_up_and_down():
    steps = looked_at(ramp(20), grey_classes=1.0).diff(dim=-1)
    assert ((steps > 0.01).any(-1) & (steps < -0.01).any(-1)).float().mean() > 0.5


def test_an_inverted_image_is_dark_where_it_was_bright():
    changed = looked_at(ramp(20), inversion=1.0)
    assert changed[..., -1].max() == pytest.approx(-1, abs=1e-5)
    # Background stays dark in some, and not in others.
    first = changed[:, 0, 0, 0, 0]
    assert (first < -0.9).any() and (first > 0.9).any()


@pytest.mark.parametrize("setting", ["blur_mm", "sharpening", "slice_mm"])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 1.0, 0.5)])
def test_what_is_blurred_or_cut_in_slices_stays_where_it_is(setting, spacing):
    """A symmetric bump keeps its centre, however it is smoothed."""
    axes = [torch.arange(n, dtype=torch.float32) - (n - 1) / 2 for n in (20, 24, 28)]
    squares = sum(
        (a * s).reshape([-1 if b == axis else 1 for b in range(3)]) ** 2
        for axis, (a, s) in enumerate(zip(axes, spacing))
    )
    bumps = (torch.exp(-squares / 18) * 2 - 1).expand(12, 1, *squares.shape).contiguous()
    changed = looked_at(bumps, spacing=spacing, **{setting: EVERYTHING[setting]})
    assert (changed - bumps).abs().max() > 0.01
    for axis, along in enumerate(axes):
        mass = (changed + 1)[:, 0].clamp_min(0)
        others = [1 + a for a in range(3) if a != axis]
        centre = (mass.sum(others) @ along) / mass.sum((1, 2, 3))
        assert centre.abs().max() < 0.05


def test_pictures_are_changed_as_volumes_are():
    pictures = torch.rand(12, 1, 30, 40, generator=torch.Generator().manual_seed(2)) * 2 - 1
    changed = looked_at(pictures, spacing=(1.0, 1.0), **EVERYTHING)
    assert changed.shape == pictures.shape and changed.isfinite().all()


def test_the_same_seed_gives_the_same_looks():
    images = ramp(4)
    one, same, other = (looked_at(images, seed, **EVERYTHING) for seed in (3, 3, 4))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("setting", [{"contrast": 1.2}, {"blur_mm": -1.0}, {"ghosts": "much"}])
def test_a_setting_that_cannot_be_is_refused(setting):
    with pytest.raises(DatasetError, match=next(iter(setting))):
        TrainConfig(**setting)


def test_cases_are_held_out_by_their_names():
    names = ["train-1", "validation-1", "train-2", "validation-2"]
    assert split_cases(names, 0.5, 0, "validation-*") == ([0, 2], [1, 3])
    training, judging = split_cases([f"c{n}" for n in range(10)], 0.2, 0)
    assert len(judging) == 2 and sorted(training + judging) == list(range(10))


@pytest.mark.parametrize(("pattern", "said"), [("val-*", "none of the 2"), ("*", "all of the 2")])
def test_a_pattern_that_leaves_no_case_is_refused(pattern, said):
    with pytest.raises(DatasetError, match=said):
        split_cases(["a-1", "a-2"], 0.2, 0, pattern)


def test_a_run_sees_the_looks_and_judges_by_the_cases_that_were_named(tmp_path):
    config = dataclasses.replace(TINY, held_out="face0[01]", flip=False, intensity_jitter=0.0)
    job = Job([write_pairs(tmp_path, make_eyes, 5)], config, None)
    ready = get_ready(job, Path(), lambda line: None)
    assert [case.name for case in ready.held_out] == ["face00", "face01"]

    def batch(**settings):
        plan = dataclasses.replace(
            ready.plan,
            config=dataclasses.replace(ready.plan.config, noise=0, occlusion=0, **settings),
        )
        generator = torch.Generator().manual_seed(0)
        feed = Feed(ready.training, plan, [0, 1], generator)
        return feed.augmented(feed.next_share(), TargetShape("fixed", 2, 4.0, (2.0, 2.0)))

    (plain, _), (looked, _) = batch(), batch(inversion=1.0)
    assert torch.isfinite(looked).all()
    # The eyes are the brightest there is, and the darkest of what is no background then.
    assert plain.amax() > 0.8 and looked.flatten(1)[0, plain.flatten(1)[0].argmax()] < -0.8
