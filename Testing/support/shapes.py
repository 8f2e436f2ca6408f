"""Small images of one lopsided anatomy, each a little different, and datasets of them."""

import numpy as np

from landmark_heatmap.annotation.landmarks import (
    Annotation,
    Landmark,
    LandmarkSet,
    Point,
    PointState,
)
from landmark_heatmap.dataset.cases import add_case
from landmark_heatmap.dataset.folder import create_dataset
from landmark_heatmap.dataset.record import CaseRecord, Review
from landmark_heatmap.images.geometry import Image, apply_affine, in_pixels

NAMES = ("Tip", "Notch", "Foot", "Dot")
LANDMARKS = LandmarkSet(tuple(Landmark(name) for name in NAMES))
SPACING = 2.0
# Where blobs lie, in mm from the middle, how wide they are, and how bright: nothing is symmetrical.
_BLOBS = (
    ((-30, -8, 4), 7, 1.0),
    ((-14, -14, -2), 9, 0.8),
    ((2, -4, 3), 11, 0.9),
    ((16, 4, -5), 8, 0.7),
    ((28, 16, 2), 5, 1.0),
    ((-4, 18, -6), 4, 0.6),
)
_AT = dict(zip(NAMES, ((-30, -8, 4), (-14, -14, -2), (28, 16, 2), (-4, 18, -6))))


def shape_image(dimension=2, turn=None, shift=(0, 0, 0), bend=0.0, size=None, unit="mm"):
    """(Image, positions {name: (3,), LPS}).

    turn: (3, 3), of the anatomy around its middle. shift: mm. bend: how far it is bent, mm.
    """
    size = size or ((60, 50, 1) if dimension == 2 else (40, 40, 40))
    affine = np.diag([SPACING, SPACING, SPACING, 1.0])
    affine[:3, 3] = -SPACING * (np.array(size) - 1) / 2
    turn = np.eye(3) if turn is None else turn
    flat = np.array([1, 1, 0 if dimension == 2 else 1])

    def place(at):
        at = np.array(at, float) * flat
        at = at + np.array([0, bend * np.sin(at[0] / 20), 0])
        return turn @ at + shift

    grid = Image(np.zeros(size[::-1], np.float32), affine).grid
    points = grid.to_lps(np.stack(np.meshgrid(*map(np.arange, size), indexing="ij"), -1))
    values = np.zeros(size)
    for at, width, height in _BLOBS:
        square = ((points - place(at)) ** 2).sum(-1)
        values = np.maximum(values, height * (square < (width * 1.2) ** 2))
    rng = np.random.default_rng(int(10 * bend) + 1)
    values = 100 * values + rng.normal(0, 2, values.shape)
    image = Image(values.T.astype(np.float32), affine, unit)
    return image, {name: place(at) for name, at in _AT.items()}


def quarter_turn():
    """(3, 3): the anatomy upside down and about another axis."""
    return np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]])


def annotated(positions, absent=()):
    points = {name: Point(PointState.PLACED, tuple(at)) for name, at in positions.items()}
    points.update({name: Point(PointState.ABSENT) for name in absent})
    return Annotation(points)


def add_shape(folder, case, absent=(), without=(), model=None, **how):
    """Add a case to a dataset, which is made if need be. model: the ModelIdentity of the one that has put
    its landmarks there."""
    create_dataset(folder, LANDMARKS)
    shown, positions = shape_image(**how)
    # A dataset has the pixels of a photograph, whatever size a viewer gives them.
    image = in_pixels(shown)
    motion = image.ijk_to_lps @ np.linalg.inv(shown.ijk_to_lps)
    positions = {name: apply_affine(motion, at) for name, at in positions.items()}
    annotation = annotated(
        {n: at for n, at in positions.items() if n not in (*absent, *without)}, absent
    )
    reviews = dict.fromkeys(annotation.names, Review.CONFIRMED)
    reviews.update(dict.fromkeys(absent, Review.MARKED_ABSENT))
    add_case(folder, case, image, annotation, CaseRecord(reviews, model=model))
    return image


def errors_mm(prediction, positions):
    """(L,) of those that have a position; the others NaN."""
    at = [positions.get(name, np.full(3, np.nan)) for name in prediction.landmarks.names]
    found = np.array([point.position_lps for point in prediction.points])
    return np.linalg.norm(found - np.array(at), axis=1)
