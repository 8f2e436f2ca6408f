"""Cases whose points are in another frame than their image or than the points of the others."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np

from landmark_heatmap.lengths import rough
from landmark_heatmap.model.pose import degrees_of

from .finding import FRAME, OUTSIDE, Finding

# The others agree on a pose if most of them are within this many degrees; a case is then turned if it
# is off by more than that, and exchanged axes if these leave no more than this.
_AGREED, _TURNED, _AXES = 30.0, 60.0, 30.0
# Size and place are another's if they are off by so many times what is usual, and by at least this:
# a factor, and a share of the size of the shape.
_UNUSUAL, _FACTOR, _SHARE = 8.0, 1.5, 0.5
# Of so many cases at least a usual pose is told.
_FEWEST = 5
# A landmark belongs into the image if it is in this share of the others' images; as many of a case's
# landmarks outside are a case in another frame.
_USUALLY_INSIDE, _MOST_OUTSIDE = 0.8, 0.5
_AXIS = "xyz"


def find_outside(looked, names) -> list:
    """Findings about points that lie outside their image. looked: of each case what gather.py gives."""
    positions = np.array([each.case.annotation.positions_lps(names) for each in looked])
    there = np.isfinite(positions).all(-1)
    inside = there.copy()
    for n, each in enumerate(looked):
        inside[n, there[n]] = each.grid.contains(positions[n, there[n]])
    findings = []
    for n, each in enumerate(looked):
        others = np.delete(np.arange(len(looked)), n)
        count = there[others].sum(0)
        usual = np.where(count > 0, inside[others].sum(0) / np.maximum(count, 1), 1.0)
        asked = there[n] & (usual >= _USUALLY_INSIDE)
        out = asked & ~inside[n]
        if out.any():
            whole = out.sum() > _MOST_OUTSIDE * asked.sum()
            tell = _in_another_frame if whole else _some_outside
            findings.append(tell(each, positions[n], out, names))
    return findings


def _some_outside(each, positions, out, names) -> Finding:
    away = _distance_outside(each.grid, positions[out])
    which = tuple(names[index] for index in np.flatnonzero(out))
    told = "It lies" if len(which) == 1 else "They lie"
    return Finding(
        OUTSIDE,
        f"{told} outside the image, where the other cases have it inside; training would take it for"
        " absent.",
        *(each.case.name, which, float(away.max()), each.grid.unit, float(away.max())),
    )


def _in_another_frame(each, positions, out, names) -> Finding:
    away = _distance_outside(each.grid, positions[out])
    known = positions[np.isfinite(positions).all(-1)]
    why = ""
    for axes in _signed_axes(3):
        if each.grid.contains(known @ axes.T).mean() > 1 - _MOST_OUTSIDE / 5:
            why = f"; they lie inside if {axes_told(axes)}"
            if np.array_equal(axes, np.diag([-1, -1, 1])):
                why += " (RAS taken for LPS, or the other way round)"
            break
    return Finding(
        FRAME,
        f"{int(out.sum())} of its {len(known)} points lie outside the image{why}.",
        *(each.case.name, (), float(np.median(away)), each.grid.unit, np.inf),
    )


def _distance_outside(grid, positions) -> np.ndarray:
    """How far from the nearest voxel's border, in mm."""
    ijk = grid.to_ijk(positions)
    nearest = np.clip(ijk, -0.5, np.array(grid.size_ijk) - 0.5)
    return np.linalg.norm((ijk - nearest) * grid.spacing_mm, axis=-1)


def find_poses(names, poses, unit: str, radius: float, mirrored=(), swaps=None) -> list:
    """Findings about cases that lie, or are, otherwise than all the others.

    names: of the cases. poses: of each the Pose of a common shape in it, in coordinates from the
    image's centre along its axes, None where it is not known. radius: of that shape. mirrored: indices of
    cases that are told already. swaps: by index, the names of two landmarks whose exchange explains a
    turn as well.
    """
    known = [n for n, pose in enumerate(poses) if pose is not None]
    if len(known) < _FEWEST:
        return []
    findings = []
    sizes = np.log([poses[n].scale for n in known])
    turns = np.array([poses[n].rotation for n in known])
    places = np.array([poses[n].translation for n in known])
    usual, agreed = usual_turn(turns)
    for index, n in enumerate(known):
        if n in mirrored:
            continue
        told = _other_size(sizes, index, poses[n], radius)
        swap = (swaps or {}).get(n)
        told = told or agreed and _other_turn(turns[index], usual, poses[n].scale * radius, swap)
        told = told or _other_place(places, index, poses[n].scale * radius)
        if told:
            reason, size = told
            findings.append(Finding(FRAME, reason, names[n], (), size, unit, size / radius))
    return findings


def _other_size(sizes, index, pose, radius):
    apart, usual = _apart(sizes, index)
    if abs(apart) <= max(_UNUSUAL * usual, np.log(_FACTOR)):
        return None
    factor = rough(float(np.exp(abs(apart))))
    which = "large" if apart > 0 else "small"
    told = (
        f"Its points are {factor} times as {which} as those of the others: another unit or spacing?"
    )
    return told, float(abs(pose.scale - pose.scale / np.exp(apart)) * radius)


def is_turned(turn, usual) -> bool:
    return degrees_of(turn @ usual.T) > _TURNED


def _other_turn(turn, usual, radius, swap=None):
    if not is_turned(turn, usual):
        return None
    angle = degrees_of(turn @ usual.T)
    told = f"Its points are turned by {angle:.0f} degrees from those of the others in their images"
    axes = nearest_axes(turn @ usual.T)
    told += f", as if {axes_told(axes)}" if axes is not None else ""
    told += (
        f"; or '{swap[0]}' and '{swap[1]}' are exchanged, and nothing is turned." if swap else "."
    )
    return told, float(2 * np.sin(np.radians(angle) / 2) * radius)


def _other_place(places, index, radius):
    each = [_apart(places[:, axis], index) for axis in range(places.shape[1])]
    far = [abs(apart) > max(_UNUSUAL * usual, _SHARE * radius) for apart, usual in each]
    if not any(far):
        return None
    size = float(np.linalg.norm([apart for apart, _ in each]))
    return "All its points lie elsewhere in the image than those of the others.", size


def _apart(values, index) -> tuple:
    """(how far one is from the median of the others, their usual distance from it)."""
    others = np.delete(values, index)
    middle = np.median(others)
    return values[index] - middle, 1.4826 * np.median(abs(others - middle))


def usual_turn(turns) -> tuple:
    """(the rotation that is nearest to the others, whether most agree with it)."""
    angles = np.array([[degrees_of(a @ b.T) for b in turns] for a in turns])
    best = int(np.argmin(np.median(angles, axis=1)))
    return turns[best], bool(np.percentile(angles[best], 75) <= _AGREED)


def nearest_axes(turn):
    """The exchange and flip of axes that is nearest to a matrix (D, D), None if none is near."""
    best = max(_signed_axes(len(turn)), key=lambda axes: np.trace(turn @ axes.T))
    rest = turn @ best.T
    if np.linalg.det(rest) < 0 or degrees_of(rest) > _AXES:
        return None
    return None if np.array_equal(best, np.eye(len(turn))) else best


def _signed_axes(dimension: int) -> list:
    """All matrices that exchange and flip axes, but for the one that does nothing; flips first."""
    found = []
    for order in permutations(range(dimension)):
        for signs in product((1, -1), repeat=dimension):
            found.append(np.eye(dimension)[list(order)] * np.array(signs)[:, None])
    return found[1:]


def axes_told(axes) -> str:
    """As 'x and y were flipped', 'x, y, z were y, x, -z'."""
    if np.array_equal(abs(axes), np.eye(len(axes))):
        flipped = [_AXIS[a] for a in range(len(axes)) if axes[a, a] < 0]
        return f"{' and '.join(flipped)} {'were' if len(flipped) > 1 else 'was'} flipped"
    of = [_AXIS[int(np.argmax(abs(row)))] for row in axes]
    signs = ["-" if row.sum() < 0 else "" for row in axes]
    return f"{', '.join(_AXIS[: len(axes)])} were {', '.join(s + a for s, a in zip(signs, of))}"
