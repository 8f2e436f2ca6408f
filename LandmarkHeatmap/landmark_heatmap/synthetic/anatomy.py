"""A random pelvis with its proximal femora and the body round it, as solids with exact landmarks.

The pelvis's own axes: x to the patient's left, y backwards, z up, in mm; the origin halfway between
the hip joints; the front of the pelvis (both ASIS and the symphysis) upright. A left bone is
described in these axes and a right one in their mirror image, with numbers of its own: no body is
symmetric. Each landmark is computed from the very shape that it lies on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..images.geometry import apply_affine
from .implicit_shapes import CurvedPlate, Ellipsoid, RoundedBox, Solid, Tube

FORWARD = np.array([0.0, -1.0, 0.0])
UP = np.array([0.0, 0.0, 1.0])
SIDES = (("L", 1.0), ("R", -1.0))


@dataclass(frozen=True, eq=False)
class Bone:
    """A bone: its solid, the thickness of its cortex in mm, and its landmarks, name to mm in LPS.

    shaft_top_mm: the height, in the solid's own axes, below which the cortex thickens to that of a
    shaft around a canal of fatty marrow; None for a bone without a shaft.
    """

    solid: Solid
    cortex_mm: float
    landmarks: dict
    shaft_top_mm: float = None
    shaft_cortex_mm: float = 0.0


@dataclass(frozen=True, eq=False)
class Patient:
    """A body and what is in it. Organs are pairs of a Solid and its Hounsfield units.

    landmarks_lps: name to mm in LPS. centre_lps: the point halfway between the hip joints.
    fat_mm: the depth of the fat under the skin. bone_density scales the bones' brightness.
    """

    bones: tuple
    body: Solid
    muscles: tuple
    organs: tuple
    landmarks_lps: dict
    centre_lps: np.ndarray
    fat_mm: float
    bone_density: float


def draw_patient(rng: np.random.Generator, compact: bool = False) -> Patient:
    """A random patient, somewhere in the world, turned by up to 15 degrees about each axis.

    compact: a smaller and straighter one, for a field of view that has to hold all of it.
    """
    angles = rng.uniform(-1, 1, 3) * ([6, 4, 4] if compact else [15, 12, 15])
    pose = np.eye(4)
    pose[:3, :3] = rotation(*angles)
    pose[:3, 3] = rng.uniform(-150, 150, 3)
    size = rng.uniform(0.88, 0.98) if compact else rng.uniform(0.86, 1.06)
    # Key points move apart or together by these factors; a pelvis may be wide, deep or tall.
    build = size * rng.uniform(0.96, 1.04, 3)
    pubis = RoundedBox(
        build * [0, -45, -14] + [rng.uniform(13.5, 16), 0, 0],
        size * np.array([12.0, 8.0, 19.0]),
        size * 6.0,
        rotation(rng.uniform(-40, -25), 0, 0),
    )
    bones = [_spine(rng, pose, build, size)]
    thighs, muscles = [], []
    for name, side in SIDES:
        mirrored = pose @ np.diag([side, 1, 1, 1])
        hip = build * [87, 0, 0] + rng.uniform(-1.5, 1.5, 3)
        head_radius = size * rng.uniform(22.5, 26)
        bones.append(_hip_bone(rng, name, mirrored, build, size, hip, head_radius, pubis))
        femur, thigh = _femur(rng, name, mirrored, size, hip, head_radius, compact)
        bones.append(femur)
        thighs.append(thigh)
        muscles += _muscles(mirrored, size, hip, femur)
    landmarks = {name: p for bone in bones for name, p in bone.landmarks.items()}
    # The two pubic bodies face each other across the midline.
    landmarks["Pubic_Symphysis"] = apply_affine(pose, pubis.centre * [0, 1, 1])
    body, organs = _soft_parts(rng, pose, size, thighs)
    return Patient(
        tuple(bones),
        body,
        tuple(muscles),
        organs,
        landmarks,
        centre_lps=pose[:3, 3],
        fat_mm=rng.uniform(8, 32),
        bone_density=rng.uniform(0.65, 1.2),
    )


def rotation(about_x, about_y, about_z) -> np.ndarray:
    """The rotation (3, 3) about x, then y, then z, in degrees."""
    x, y, z = np.radians([about_x, about_y, about_z])
    turn_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    turn_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    turn_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    return turn_z @ turn_y @ turn_x


def _spine(rng, pose, build, size) -> Bone:
    """The sacrum and the two lumbar vertebrae above it."""
    slope = rng.uniform(32, 48)
    tilt = rotation(slope, 0, 0)
    half = size * np.array([25.0, 17.0, 14.0])
    top = build * [0, 26, 96]
    first = RoundedBox(top, half, size * 5.0, tilt)
    # The bodies below curve backwards and then forwards again; the wings reach to the ilia.
    path = [build * p for p in ([0, 52, 72], [0, 66, 47], [0, 69, 24], [0, 61, 4], [0, 47, -16])]
    widths = [44, 36, 27, 19, 8]
    shapes = [first]
    for centre, above, width in zip(path, [top, *path], widths):
        drop = above - centre
        lean = np.degrees(np.arctan2(-drop[1], drop[2]))
        depth = 6 + 0.16 * width
        box_half = size * np.array([width, depth, 0.62 * np.linalg.norm(drop) / size])
        shapes.append(RoundedBox(centre, box_half, size * 0.8 * depth, rotation(lean, 0, 0)))
    for side in (-1, 1):
        wing = build * [side * 33, 46, 84]
        shapes.append(Ellipsoid(wing, size * np.array([22.0, 15.0, 20.0]), tilt))
    crest = [build * p for p in ([0, 84, 78], [0, 88, 48], [0, 80, 18])]
    shapes += [Tube(a, b, 5 * size, 4 * size) for a, b in zip(crest, crest[1:])]
    canal = [Tube(build * [0, 52, 118], build * [0, 70, 80], 8 * size, 7 * size)]
    canal.append(Tube(build * [0, 70, 80], build * [0, 79, 45], 7 * size, 4 * size))
    foramina = [
        Tube(build * [side * x, y - 30, z + 6], build * [side * x, y + 6, z], 3 * size, 3 * size)
        for side in (-1, 1)
        for x, y, z in ((21, 62, 76), (19, 72, 53), (16, 76, 32))
    ]
    centre, lean = top, slope
    for _ in range(2):
        lean -= 14
        upward = rotation(lean + 7, 0, 0) @ UP
        centre = centre + size * 37 * upward
        shapes += _lumbar_vertebra(centre, rotation(lean, 0, 0), size)
    solid = Solid(tuple(shapes), pose, 5.0, (*canal, *foramina))
    return Bone(solid, 1.0, {"Sacral_Promontory": solid.to_world(first.farthest(FORWARD))})


def _lumbar_vertebra(centre, turn, size) -> list:
    def at(x, y, z):
        return centre + size * turn @ np.array([x, y, z], dtype=float)

    shapes = [RoundedBox(centre, size * np.array([25.0, 17.0, 13.5]), size * 5.0, turn)]
    shapes.append(Tube(at(0, 38, -4), at(0, 58, -12), 4 * size, 5 * size))
    for side in (-1, 1):
        shapes.append(Tube(at(side * 16, 14, 5), at(side * 18, 32, 0), 5 * size, 7 * size))
        shapes.append(Tube(at(side * 18, 30, 0), at(0, 40, -4), 4 * size, 4 * size))
        shapes.append(Tube(at(side * 17, 22, 4), at(side * 42, 30, 4), 5 * size, 4 * size))
        shapes.append(Tube(at(side * 18, 32, 0), at(side * 20, 34, -22), 6 * size, 5 * size))
    return shapes


def _hip_bone(rng, name, mirrored, build, size, hip, head_radius, pubis) -> Bone:
    """Ilium, ischium and pubis of one side, with the socket for a femoral head at `hip`."""

    def at(x, y, z):
        return build * [x, y, z]

    flare = rng.uniform(-7, 5, 1) * [1, 0, 0]
    asis_base = at(117, -38, 77) + flare + rng.uniform(-3, 3, 3)
    outline = [
        at(107, -26, 55), asis_base, at(129, -22, 97) + flare, at(132, 0, 113) + flare,
        at(127, 22, 123) + flare, at(112, 48, 125), at(88, 68, 114), at(64, 81, 98), at(46, 86, 80),
        at(45, 78, 56), at(60, 56, 40), at(72, 36, 20), at(80, 10, 16), at(98, -20, 32),
    ]  # fmt: skip
    inner = [at(90, 26, 78), at(92, 8, 50), at(112, 18, 108)]
    wing = CurvedPlate(np.array(outline), np.array(inner), 2.2 * size, 3.0 * size)
    asis = Ellipsoid(asis_base + size * np.array([0, -4.0, 0]), size * np.array([7.0, 12, 12]))
    wall = head_radius + size * 9
    tuberosity = at(61, 27, -62)
    shapes = [
        wing,
        asis,
        Ellipsoid(at(101, -27, 38), size * np.array([8.0, 10, 14])),  # the AIIS
        Ellipsoid(hip, (wall, wall, wall)),
        Tube(hip + at(0, 3, 20), at(93, 8, 60), 16 * size, 6 * size),  # the roof's support
        Tube(hip + at(-14, 6, 22), at(56, 50, 58), 11 * size, 10 * size),  # to the sacroiliac joint
        Ellipsoid(at(51, 66, 72), size * np.array([9.0, 20, 22]), rotation(0, 0, 25)),
        Tube(hip + at(-19, -14, 3), pubis.centre + at(4, -2, 9), 12 * size, 8 * size),
        pubis,
        Tube(pubis.centre + at(2, 6, -14), at(44, 4, -60), 7 * size, 6 * size),
        Tube(at(44, 4, -60), tuberosity, 6 * size, 11 * size),
        Tube(hip + at(-10, 24, -12), tuberosity + at(3, 2, 14), 15 * size, 14 * size),
        Ellipsoid(tuberosity, size * np.array([14.0, 17, 19])),
        Tube(at(66, 42, 2), at(53, 53, -6), 6 * size, 3 * size),  # the ischial spine
    ]
    # The socket opens outwards, forwards and down. It is carved as a sphere, and beyond the plane
    # of its rim everything in front of it goes, so that the rim is where sphere and plane meet.
    radius = head_radius + rng.uniform(2.5, 4.0)
    inclination, anteversion = np.radians([rng.uniform(40, 50), rng.uniform(12, 25)])
    opening = np.array([
        np.sin(inclination) * np.cos(anteversion),
        -np.sin(anteversion),
        -np.cos(inclination) * np.cos(anteversion),
    ])  # fmt: skip
    depth = size * rng.uniform(-2, 4)
    rim_up = UP - (UP @ opening) * opening
    rim_up /= np.linalg.norm(rim_up)
    rim = hip + depth * opening + np.sqrt(radius**2 - depth**2) * rim_up
    clearing = RoundedBox(
        hip + (depth + 30) * opening,
        (radius + 11, radius + 11, 30.0),
        9.0,
        np.column_stack([np.cross(rim_up, opening), rim_up, opening]),
    )
    solid = Solid(
        tuple(shapes), mirrored, 7.0, (Ellipsoid(hip, (radius, radius, radius)), clearing)
    )
    landmarks = {
        f"ASIS_{name}": solid.to_world(asis.farthest(FORWARD)),
        f"Acetabular_Rim_{name}": solid.to_world(rim),
    }
    return Bone(solid, 1.5, landmarks)


def _femur(rng, name, mirrored, size, hip, head_radius, compact) -> tuple:
    """One proximal femur, and its thigh as a Solid. The femur's own origin is the head's centre."""
    swing = 0.4 if compact else 1.0
    flexion, abduction, spin = swing * np.array(
        [rng.uniform(-10, 25), rng.uniform(-6, 14), rng.uniform(-20, 20)]
    )
    frame = np.eye(4)
    # About x a positive angle carries the knee backwards; about y, outwards is negative.
    frame[:3, :3] = rotation(-flexion, -abduction, 0) @ rotation(0, 0, spin)
    frame[:3, 3] = hip
    to_world = mirrored @ frame
    angle = np.radians(180 - rng.uniform(120, 135))
    anteversion = np.radians(rng.uniform(5, 25))
    length = size * rng.uniform(50, 58)
    outwards = np.array([np.cos(anteversion), np.sin(anteversion), 0])
    # The neck meets the shaft's axis here.
    base = length * (np.sin(angle) * outwards - np.cos(angle) * UP)
    thick = size * rng.uniform(0.92, 1.08)
    below = base - 34 * size * UP
    shaft_end = below + size * np.array([-6.0, -6.0, -330.0])
    trochanter = base + size * (np.array([5.0, 3.0, 0]) + rng.uniform(5, 12) * UP)
    greater = Ellipsoid(trochanter, size * np.array([13.0, 19, 23]), rotation(0, 0, 10))
    inward_back = np.array([-0.78, 0.62, 0])
    lesser_height = rng.uniform(24, 32) * size
    lesser = Ellipsoid(
        base - lesser_height * UP + 16 * size * inward_back,
        size * np.array([13.0, 8.0, 13.0]),
        rotation(0, 0, -38),
    )
    shapes = (
        Ellipsoid(np.zeros(3), (head_radius, head_radius, head_radius)),
        Tube(0.25 * base, 0.9 * base, 13.5 * thick, 16 * thick),
        Tube(base - 4 * size * UP, below, 20 * thick, 16.5 * thick),
        Tube(below, shaft_end, 16.5 * thick, 13 * thick),
        greater,
        Tube(trochanter + size * np.array([-3.0, 12, 4]), lesser.centre, 7 * size, 6 * size),
        lesser,
    )
    solid = Solid(shapes, to_world, 6.0)
    landmarks = {
        f"Femoral_Head_Centre_{name}": solid.to_world(np.zeros(3)),
        f"Greater_Trochanter_{name}": solid.to_world(greater.farthest(UP)),
        f"Lesser_Trochanter_{name}": solid.to_world(lesser.farthest(inward_back)),
    }
    thigh_start = size * np.array([8.0, 22.0, -10.0])
    thigh = Tube(thigh_start, thigh_start + shaft_end * [0.5, 0.5, 1], 92 * size, 62 * size)
    bone = Bone(solid, 1.6, landmarks, below[2] + 14 * size, size * rng.uniform(4.5, 6.5))
    return bone, Solid((thigh,), to_world)


def _muscles(mirrored, size, hip, femur) -> list:
    """The large muscles round one hip; those of the thigh swing with the femur."""

    def at(x, y, z):
        return hip + size * np.array([x, y, z], dtype=float)

    femur_to_pelvis = np.linalg.inv(mirrored) @ femur.solid.local_to_world

    def swung(x, y, z):
        return apply_affine(femur_to_pelvis, size * np.array([x, y, z], dtype=float))

    groups = [
        [(at(-8, 78, 45), at(30, 50, -35), 30, 27), (at(-30, 72, 5), at(10, 62, -40), 26, 22)],
        [(at(28, 35, 88), at(52, 8, 6), 17, 13), (at(42, -2, 78), at(56, 0, 6), 13, 11)],
        [(at(-52, 5, 125), at(-26, -18, 45), 19, 16), (at(5, 12, 85), at(-14, -28, 25), 18, 14),
         (at(-18, -28, 30), swung(14, 2, -50), 15, 9)],
        [(at(26, -45, 60), swung(34, -38, -190), 8, 20)],
        [(swung(58, -14, -35), swung(58, -22, -320), 13, 27)],
        [(swung(-44, -14, -30), swung(10, 4, -260), 20, 26)],
        [(at(-22, 38, -66), swung(10, 52, -300), 14, 25)],
    ]  # fmt: skip
    return [
        Solid(tuple(Tube(a, b, ra * size, rb * size) for a, b, ra, rb in tubes), mirrored, 12.0)
        for tubes in groups
    ]


def _soft_parts(rng, pose, size, thighs) -> tuple:
    """The body's outline, and what lies within it: pairs of a Solid and its Hounsfield units."""
    girth = size * rng.uniform(0.96, 1.14)
    trunk = Ellipsoid(size * np.array([0, 18.0, 130]), girth * np.array([180.0, 122, 420]))
    to_pelvis = np.linalg.inv(pose)
    legs = []
    for thigh in thighs:
        (leg,) = thigh.shapes
        ends = [apply_affine(to_pelvis, thigh.to_world(end)) for end in (leg.start, leg.end)]
        legs.append(Tube(*ends, girth * leg.start_radius, girth * leg.end_radius))

    def organ(units, centre, semi_axes, jitter=8.0):
        at = size * np.array(centre) + rng.uniform(-jitter, jitter, 3)
        scale = size * rng.uniform(0.8, 1.15, 3)
        return Solid((Ellipsoid(at, scale * np.array(semi_axes)),), pose), float(units)

    organs = [
        organ(-90.0, (0, -22, 120), (88, 48, 78)),
        organ(8.0, (0, -18, 18), (34, 24, 26)),
        organ(35.0, (0, 36, 10), (20, 18, 42)),
    ]
    organs += [
        organ(rng.choice([25.0, 40.0, -750.0], p=[0.4, 0.35, 0.25]), centre, (18, 16, 22), 15)
        for centre in ((-40, -25, 85), (0, -30, 95), (42, -25, 80), (-20, -20, 125), (30, -25, 130))
    ]
    return Solid((trunk, *legs), pose, 40.0), tuple(organs)
