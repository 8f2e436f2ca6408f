"""What tells whether a model that was loaded is still the one on the disk. Reads no image."""

from __future__ import annotations

from pathlib import Path

from ..dataset.folder import is_dataset, newest_revisions
from .start_file import is_start_file, read_start


def stamp(model):
    """Another one when the file was written again, a case of the dataset added or revised, or its
    landmarks changed; None where there is neither file nor dataset. Raises ModelFileError for a start
    file that cannot be read."""
    path = Path(model)
    if is_dataset(path):
        cases = ((case.name, revision.name) for case, revision in newest_revisions(path))
        return _written(path / "dataset.json"), *cases
    if not path.is_file():
        return None
    own = _written(path)
    if not is_start_file(path):
        return own
    named = read_start(path)
    return own, stamp(named.model), stamp(named.dataset)


def _written(path: Path) -> tuple:
    status = path.stat()
    return status.st_mtime_ns, status.st_size
