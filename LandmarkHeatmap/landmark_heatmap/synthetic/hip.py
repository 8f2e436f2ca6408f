"""CT-like volumes of random hips with exact landmarks, for demo, tests and the shipped model.

The anatomy is drawn first and knows nothing of voxels, so one seed gives the same body, with the
same landmarks in mm, at any size and spacing. The two sides look alike: only where it lies tells
left from right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..annotation.landmarks import Annotation, Landmark, LandmarkSet, Point, PointState
from ..errors import GeometryError
from ..images.geometry import Grid, Image
from .anatomy import Bone, Patient, draw_patient
from .implicit_shapes import Ellipsoid, Solid, coverage

_ONE_SIDE = {
    "Femoral_Head_Centre": "Centre of the sphere that fits the femoral head.",
    "Acetabular_Rim": "Highest point of the acetabular rim, in the pelvis's own axes: the outer end"
    " of the acetabular roof, where the rounded joint surface ends.",
    "Greater_Trochanter": "Tip of the greater trochanter: its highest point along the axis of the"
    " femoral shaft.",
    "Lesser_Trochanter": "Tip of the lesser trochanter: its point farthest out from the femoral"
    " shaft, inwards and backwards.",
    "ASIS": "Tip of the anterior superior iliac spine: the foremost point, in the pelvis's own"
    " axes, of the front end of the iliac crest.",
}
_MIDLINE = {
    "Sacral_Promontory": "Foremost point, in the midline and in the pelvis's own axes, of the upper"
    " edge of the first sacral vertebral body.",
    "Pubic_Symphysis": "Centre of the pubic symphysis: the middle of the joint space between the"
    " two pubic bodies.",
}

SYNTHETIC_HIP_LANDMARKS = LandmarkSet(
    tuple(
        Landmark(f"{name}_{side}", f"{text} {word} side.")
        for name, text in _ONE_SIDE.items()
        for side, word in (("L", "Left"), ("R", "Right"))
    )
    + tuple(Landmark(name, text) for name, text in _MIDLINE.items()),
    tuple((f"{name}_L", f"{name}_R") for name in _ONE_SIDE),
    "synthetic-hip",
)

# Hounsfield units.
AIR, FAT, MUSCLE, CARTILAGE = -1000.0, -100.0, 45.0, 60.0
CORTICAL, CANCELLOUS, MARROW = 1250.0, 330.0, -30.0
TABLE = -150.0


@dataclass(frozen=True, eq=False)
class SyntheticHip:
    """A synthetic CT (int16 Hounsfield units) and the true positions of its landmarks."""

    image: Image
    annotation: Annotation


def make_synthetic_hip(
    seed: int,
    size: int | tuple = 96,
    spacing_mm: float | tuple = 3.0,
    *,
    whole_pelvis: bool = False,
) -> SyntheticHip:
    """The synthetic hip of a seed: always the same one for the same arguments.

    size: voxels along i, j, k (LPS x, y, z), or one number for all; spacing_mm likewise, in mm.
    Landmarks outside the image are absent. whole_pelvis: a small, straight patient with the image
    centred on it, so that no landmark is absent; raises GeometryError where the image is too small
    for that, and for sizes and spacings that make no image.
    """
    rng = np.random.default_rng(seed)
    patient = draw_patient(rng, compact=whole_pelvis)
    landmarks = patient.landmarks_lps
    centre = _midpoint(landmarks) if whole_pelvis else _random_centre(rng, patient)
    table, ball = _random_table(rng, patient), _random_ball(rng, patient)
    blur_mm, noise = rng.uniform(0.3, 1.3), rng.uniform(4, 35)
    grid = _grid_about(centre, size, spacing_mm)
    inside = dict(zip(landmarks, grid.contains(np.array(list(landmarks.values())))))
    if whole_pelvis and not all(inside.values()):
        raise GeometryError(
            f"An image of {grid.size_ijk} voxels of {grid.spacing_mm.tolist()} mm is too small for"
            " a whole pelvis; make it at least 285 mm wide, 125 mm deep and 180 mm high."
        )
    volume = render_patient(patient, grid, table, ball)
    volume = _scanned(rng, volume, blur_mm / grid.spacing_mm, noise)
    points = {
        name: Point(PointState.PLACED, tuple(landmarks[name]), definition=text)
        if inside[name]
        else Point(PointState.ABSENT, definition=text)
        for name, text in ((m.name, m.definition) for m in SYNTHETIC_HIP_LANDMARKS.landmarks)
    }
    image = Image(np.clip(np.rint(volume), -1024, 3071).astype(np.int16), grid.ijk_to_lps)
    return SyntheticHip(image, Annotation(points))


def render_patient(patient: Patient, grid: Grid, behind=(), within=()) -> np.ndarray:
    """The patient in Hounsfield units without blur or noise: float32 with the axes (K, J, I).

    grid: along the world's axes. behind, within: things that are no anatomy, as pairs of a Solid
    and its Hounsfield units; the body hides what is behind it, the bones what is within.
    """
    origin, spacing = grid.ijk_to_lps[:3, 3], grid.spacing_mm
    axes = [o + s * np.arange(n) for o, s, n in zip(origin, spacing, grid.size_ijk)]
    voxel_mm = float(np.mean(spacing))
    # Voxels just outside a solid are partly filled, and films lie up to 4 mm round it.
    reach_mm = 4 + voxel_mm
    volume = np.full(grid.size_ijk[::-1], AIR, dtype=np.float32)

    def paint(sample, depth, units):
        """Fill the solid from `depth` mm below its surface; a negative depth swells it."""
        part = volume[sample.window]
        part += (units - part) * coverage(sample.distance + depth, voxel_mm)

    for solid, units in behind:
        paint(solid.sampled(axes, reach_mm), 0, units)
    body = patient.body.sampled(axes, reach_mm)
    paint(body, 0, FAT)
    paint(body, patient.fat_mm, MUSCLE)
    for muscle in patient.muscles:
        sample = muscle.sampled(axes, reach_mm)
        # Fat fills the clefts between muscles: more of it in a fatter patient.
        paint(sample, -0.5 - 0.1 * patient.fat_mm, FAT)
        paint(sample, 0, MUSCLE + 10)
    for solid, units in (*patient.organs, *within):
        paint(solid.sampled(axes, reach_mm), 0, units)
    for bone in patient.bones:
        sample = bone.solid.sampled(axes, reach_mm)
        # A film of cartilage keeps bones apart where they touch.
        paint(sample, -1.5, CARTILAGE)
        paint(sample, 0, CORTICAL * patient.bone_density)
        paint(sample, *_inside_bone(bone, sample, patient.bone_density))
    return volume


def _inside_bone(bone: Bone, sample, density) -> tuple:
    """The cortex's thickness in mm and the units within it, for each voxel or for all."""
    spongy = CANCELLOUS * density
    if bone.shaft_top_mm is None:
        return bone.cortex_mm, spongy
    # Over 50 mm, spongy bone under a thin cortex turns into a canal in a thick one.
    shaft = np.clip((np.float32(bone.shaft_top_mm) - sample.local[2]) / 50 + 0.5, 0, 1)
    cortex = bone.cortex_mm + np.float32(bone.shaft_cortex_mm - bone.cortex_mm) * shaft
    return cortex, spongy + np.float32(MARROW - spongy) * shaft


def _random_centre(rng, patient) -> np.ndarray:
    """The centre of a field of view: often on both hips, sometimes on one, or high or low."""
    spread = np.array([12.0, 12.0, 25.0])
    offset = np.array([0, 10.0, 25.0]) + rng.uniform(-1, 1, 3) * spread
    kind = rng.choice(["both", "one", "high", "low"], p=[0.5, 0.3, 0.1, 0.1])
    offset[0] += {"one": rng.choice([-1, 1]) * rng.uniform(60, 110)}.get(kind, 0.0)
    offset[2] += {"high": rng.uniform(40, 90), "low": rng.uniform(-90, -40)}.get(kind, 0.0)
    return patient.centre_lps + offset


def _random_ball(rng, patient) -> tuple:
    """Now and then a bright ball that is no femoral head: pairs for render_patient."""
    if rng.random() > 0.3:
        return ()
    centre = patient.centre_lps + rng.uniform(-1, 1, 3) * [120, 80, 110]
    ball = Ellipsoid(centre, np.full(3, rng.uniform(8, 27)))
    return ((Solid((ball,), np.eye(4)), rng.uniform(250, 1400)),)


def _random_table(rng, patient) -> tuple:
    """Now and then the table under the patient: pairs for render_patient."""
    if rng.random() > 0.4:
        return ()
    centre = patient.centre_lps + [rng.uniform(-20, 20), rng.uniform(140, 170), 0]
    table = Ellipsoid(centre, (240.0, rng.uniform(8, 14), 2000.0))
    return ((Solid((table,), np.eye(4)), TABLE),)


def _grid_about(centre, size, spacing_mm) -> Grid:
    size, spacing = _triple(size, "sizes"), _triple(spacing_mm, "spacings")
    matrix = np.diag([*spacing, 1.0])
    matrix[:3, 3] = centre - spacing * (size - 1) / 2
    return Grid(tuple(size), matrix)


def _triple(value, what) -> np.ndarray:
    numbers = np.asarray(value, dtype=float)
    if numbers.shape not in ((), (3,)) or not np.all(numbers > 0):
        raise GeometryError(f"An image needs three {what} above 0, or one for all, got {value}.")
    return np.broadcast_to(numbers, 3)


def _midpoint(landmarks: dict) -> np.ndarray:
    points = np.array(list(landmarks.values()))
    return (points.min(axis=0) + points.max(axis=0)) / 2


def _scanned(rng, volume, blur_voxels, noise) -> np.ndarray:
    """`volume` as a scanner shows it: mottled, blurred (sigma in voxels along i, j, k), noisy."""
    # Tissue is uneven: a coarse random pattern, smoothly enlarged, where there is any tissue.
    mottle = rng.standard_normal((9, 9, 9), dtype=np.float32) * np.float32(12)
    for length in volume.shape:
        mottle = np.tensordot(mottle, _enlarging(9, length), axes=(0, 0))
    volume = volume + mottle * (volume > -500)
    grain = rng.standard_normal(volume.shape, dtype=np.float32) * np.float32(noise)
    volume += grain * np.float32(0.7)
    for axis, sigma in enumerate(blur_voxels[::-1]):
        volume = _blurred(volume, axis, sigma)
    return volume + grain[::-1] * np.float32(0.7)


def _enlarging(few: int, many: int) -> np.ndarray:
    """The weights (few, many) that interpolate `few` values linearly at `many` places."""
    places = np.linspace(0, few - 1, many)
    return np.maximum(0, 1 - abs(places - np.arange(few)[:, None])).astype(np.float32)


def _blurred(volume, axis, sigma) -> np.ndarray:
    """Gaussian blur along one axis; beyond the border the outermost voxels go on."""
    reach = int(np.ceil(2.5 * sigma))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2).astype(np.float32)
    weights /= weights.sum()
    length = volume.shape[axis]
    moved = np.pad(np.moveaxis(volume, axis, 0), [(reach, reach), (0, 0), (0, 0)], mode="edge")
    total = sum(w * moved[k : k + length] for k, w in enumerate(weights))
    return np.moveaxis(total, 0, axis)
