"""What tells whether a model that was loaded is still the one on the disk. Reads no image."""

from __future__ import annotations

from pathlib import Path

from ..dataset.folder import is_dataset, newest_revisions


def stamp(model):
    """Another one when the file was written again, or a case of the dataset added or revised; None where
    there is neither file nor dataset."""
    path = Path(model)
    if is_dataset(path):
        return tuple((case.name, revision.name) for case, revision in newest_revisions(path))
    if not path.is_file():
        return None
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size
