"""Scans as others would make them: whatever is done to an image is done to its landmarks alike."""

import importlib.util
import sys

import numpy as np
import pytest

pytest.importorskip("torch")

from landmark_heatmap.images.geometry import Image
from places import ROOT

SPACING = 0.5


@pytest.fixture(scope="module")
def scans():
    path = ROOT / "training" / "benchmarks" / "other_scans.py"
    spec = importlib.util.spec_from_file_location("other_scans", path)
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look for their module there.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture
def scan(scans):
    """Four balls of different brightness in an oblique image, and where they are."""
    affine = np.diag([SPACING, SPACING, SPACING, 1.0])
    affine[:3, 3] = (5.0, -20.0, 30.0)
    places = np.array([[12, 14, 10], [30, 16, 12], [14, 32, 20], [28, 30, 32]])
    k, j, i = np.meshgrid(*(np.arange(44),) * 3, indexing="ij")
    array = np.zeros((44, 44, 44))
    for brightness, at in zip((240, 200, 160, 120), places):
        array[(i - at[0]) ** 2 + (j - at[1]) ** 2 + (k - at[2]) ** 2 <= 9] = brightness
    image = Image(array.astype(np.uint8), affine)
    return scans.Scan(image, image.grid.to_lps(places))


def brightness_at(scan, positions):
    i, j, k = np.rint(scan.image.grid.to_ijk(positions)).astype(int).T
    return scan.image.array[k, j, i].astype(float)


@pytest.mark.parametrize(
    "kind",
    ["as it is", "mirrored", "turned", "voxels of 0.3 mm", "slices of 0.5 mm"]
    + ["16 bit, an offset", "8 mm more on all sides"]
    + ["tilted by up to 25 degrees", "left and right exchanged"],
)
def test_the_landmarks_stay_on_what_they_mark(scans, scan, kind):
    changed = scans.KINDS[kind](scan, np.random.default_rng(0))
    seen = brightness_at(changed, changed.positions)
    offset, scale = (1000, 200) if kind.startswith("16 bit") else (0, 1)
    np.testing.assert_allclose((seen - offset) / scale, [240, 200, 160, 120], rtol=0.1)


def test_a_mirrored_scan_is_one_and_a_turned_one_is_none(scans, scan):
    def handed(each):
        edges = each.positions[1:] - each.positions[0]
        return np.sign(np.linalg.det(edges))

    random = np.random.default_rng(3)
    assert handed(scans.KINDS["mirrored"](scan, random)) == -handed(scan)
    assert handed(scans.KINDS["turned"](scan, random)) == handed(scan)


def test_what_is_found_at_the_same_place_of_the_anatomy_has_not_moved(scans, scan):
    """Whatever was done to the image; and what is 1 mm off in it has moved by 1 mm."""

    def told(each, off):
        found = scans.listed(each.positions + off)
        return {
            "reference": scans.listed(each.positions),
            "found": found,
            "absent": [False] * len(found),
            "motion": each.motion.tolist(),
        }

    changed = scans.KINDS["tilted by up to 25 degrees"](scan, np.random.default_rng(1))
    off = np.array([0.0, 0.0, 1.0])
    apart = scans.moved_by(told(changed, off @ changed.motion.T), told(scan, off))
    assert np.allclose(apart, 0, atol=1e-9) and len(apart) == 4
    assert np.allclose(scans.moved_by(told(changed, off), told(changed, 0 * off)), 1)


def test_what_is_cut_off_has_no_landmark(scans, scan):
    half = scans.KINDS["half cut off"](scan, None)
    assert half.image.grid.size_ijk == (22, 44, 44)
    assert np.isfinite(half.positions).all(1).tolist() == [True, False, True, False]
