"""All that a review can change, at one moment: where the landmarks are, and what was said of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import slicer

from landmark_heatmap.images.geometry import apply_affine

from ..result import markups, state
from ..volumes import ijk_to_ras, size_ijk

# What has moved by less, in voxels, has not moved: a motion of the volume is computed, and rounds.
_SAME_VOXELS = 1e-4
DEFINED = slicer.vtkMRMLMarkupsNode.PositionDefined
MISSING = slicer.vtkMRMLMarkupsNode.PositionMissing
UNDEFINED = slicer.vtkMRMLMarkupsNode.PositionUndefined


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One moment of a result's review.

    own_ras: (L, 3) as the list of landmarks holds them, mm. in_volume_ras: (L, 3) the same in the
    volume's own coordinates. Both are NaN for points without a position. statuses: MRML's position
    status of each. said: landmark name to Review value. followed: as in
    `state.followed`. volume_ijk_to_ras, volume_size_ijk: of the
    volume then, so that the moment can be brought back after the volume was put elsewhere.
    """

    own_ras: np.ndarray
    in_volume_ras: np.ndarray
    statuses: tuple
    said: dict
    volume_ijk_to_ras: np.ndarray
    volume_size_ijk: tuple
    followed: dict = field(default_factory=dict)

    @classmethod
    def take(cls, result) -> Snapshot:
        node, volume = result.markups_node, result.volume_node
        document = state.read(result.node)
        return cls(
            markups.own_positions(node),
            markups.ras_positions_in(node, volume),
            tuple(map(node.GetNthControlPointPositionStatus, range(len(result.landmarks)))),
            dict(document["said"]),
            ijk_to_ras(volume),
            tuple(size_ijk(volume)),
            dict(state.followed(document)),
        )

    def moved_since(self, earlier: Snapshot) -> list:
        """The indices of the landmarks that moved, appeared or vanished since an earlier moment.

        A motion of the volume, with all that lies beside it, moves nothing.
        """
        spacing = np.linalg.norm(self.volume_ijk_to_ras[:3, :3], axis=0).min()
        before = self._brought_here(earlier)
        apart = np.linalg.norm(self.in_volume_ras - before, axis=1)
        was, is_there = np.isfinite(before).all(axis=1), np.isfinite(self.in_volume_ras).all(axis=1)
        changed = (was != is_there) | (apart > _SAME_VOXELS * spacing)
        missing, was_missing = (np.array(each.statuses) == MISSING for each in (self, earlier))
        return list(map(int, np.flatnonzero(changed | (missing != was_missing))))

    def judged_since(self, earlier: Snapshot) -> list:
        """The names of the landmarks of which something else is said now."""
        names = {**earlier.said, **self.said}
        return [name for name in names if self.said.get(name) != earlier.said.get(name)]

    def touched_since(self, earlier: Snapshot, names) -> list:
        """Of the names of all landmarks, those of which either holds."""
        moved = {names[index] for index in self.moved_since(earlier)}
        return [name for name in names if name in moved.union(self.judged_since(earlier))]

    def _brought_here(self, earlier: Snapshot) -> np.ndarray:
        """Another moment's positions in the volume as it lies at this one."""
        return _brought(earlier, self.volume_ijk_to_ras, self.volume_size_ijk)

    def put_back(self, result) -> None:
        """Make the result what it was: to the last bit, where the volume still is where it was."""
        node, volume = result.markups_node, result.volume_node
        wanted = _brought(self, ijk_to_ras(volume), tuple(size_ijk(volume)))
        there = markups.transform_between(node, volume)
        back = markups.transform_between(volume, node)
        now = markups.own_positions(node)
        document = state.read(result.node)
        if (document["said"], state.followed(document)) != (self.said, self.followed):
            document["said"], document["followed"] = dict(self.said), dict(self.followed)
            state.write(result.node, document)
        for index, status in enumerate(self.statuses):
            if status == DEFINED:
                own = self.own_ras[index]
                if not np.array_equal(there.TransformPoint(own), wanted[index]):
                    own = np.array(back.TransformPoint(wanted[index]))
                if not np.array_equal(own, now[index]):
                    node.SetNthControlPointPosition(index, *own)
            elif node.GetNthControlPointPositionStatus(index) != status:
                if status == MISSING:
                    markups.make_missing(node, index)
                else:
                    node.UnsetNthControlPointPosition(index)


def _brought(snapshot: Snapshot, new_ijk_to_ras, new_size_ijk) -> np.ndarray:
    """The snapshot's positions in a volume that was moved since: at the same voxels."""
    old = snapshot.volume_ijk_to_ras
    # Another image altogether has no same voxels: there, the positions are what they were in mm.
    if np.array_equal(old, new_ijk_to_ras) or snapshot.volume_size_ijk != new_size_ijk:
        return snapshot.in_volume_ras
    return apply_affine(new_ijk_to_ras @ np.linalg.inv(old), snapshot.in_volume_ras)
