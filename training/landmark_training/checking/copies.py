"""Images, and annotations, that come twice."""

from __future__ import annotations

import numpy as np

from .finding import DUPLICATE, Finding

# Fewer points that agree to the last digit may do so by chance (corners, zeros).
_FEWEST_POINTS = 3
_DECIMALS = 6


def find_copies(looked) -> list:
    """Findings about cases whose image, or whose points, another case has too. looked: of gather.py."""
    findings, first_of, first_with = [], {}, {}
    for each in looked:
        first = first_of.setdefault(each.image, each)
        points = _points(each.case.annotation)
        if first is not each:
            findings.append(_same_image(first, each))
        elif len(points) >= _FEWEST_POINTS:
            other = first_with.setdefault(points, each)
            if other is not each:
                reason = (
                    f"Its points are those of '{other.case.name}' to the last digit, and the images are"
                    " two: was the wrong file copied?"
                )
                findings.append(Finding(DUPLICATE, reason, each.case.name))
    return findings


def _points(annotation) -> tuple:
    return tuple(
        (name, *np.round(point.position_lps, _DECIMALS).tolist())
        for name, point in sorted(annotation.points.items())
        if point.position_lps is not None
    )


def _same_image(first, second) -> Finding:
    a, b = first.case.annotation, second.case.annotation
    shared = [n for n in a.names if a.position_lps(n) is not None and b.position_lps(n) is not None]
    told = f"Its image is that of '{first.case.name}', voxel by voxel"
    if not shared:
        return Finding(DUPLICATE, f"{told}.", second.case.name)
    apart = np.linalg.norm(a.positions_lps(shared) - b.positions_lps(shared), axis=-1)
    worst = int(np.argmax(apart))
    size = float(apart[worst])
    told += ", with the same points." if size == 0 else f"; '{shared[worst]}' differs most."
    return Finding(DUPLICATE, told, second.case.name, (), size, second.grid.unit, size)
