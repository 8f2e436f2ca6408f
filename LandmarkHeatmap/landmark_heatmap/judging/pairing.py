"""Which prediction belongs to which reference: by name, or in order where there are no names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..annotation.annotation_files import MARKUPS_SUFFIX, read_annotation
from ..annotation.landmarks import Annotation
from ..annotation.names import told_near
from ..dataset.cases import read_annotations
from ..dataset.folder import is_dataset
from ..detection.prediction import Prediction
from ..errors import AnnotationError

_SUFFIXES = (MARKUPS_SUFFIX, ".fcsv", ".csv")


def pair_annotations(predictions, references) -> list:
    """(name, predicted, reference) each, Annotations, as `evaluate` takes them.

    Each of the two is one case (an Annotation, a Prediction or the path of an annotation file) or
    several: a folder of annotation files, whose names count without .mrk.json, .fcsv or .csv; a
    dataset, of which the newest revisions count; a dict of names to single cases; or a list of them.

    Two single cases are compared whatever their names. Several are matched by name; lists are, if
    they hold paths only, and otherwise in order, with as many on both sides. A reference without
    prediction comes as (name, None, reference), a prediction without reference as (name, predicted,
    None). Raises AnnotationError or DatasetError for a file that cannot be used, and AnnotationError
    for anything else that cannot be a case and for cases that cannot be matched.
    """
    if _is_one(predictions) and _is_one(references):
        named = [_stem(Path(each)) for each in (references, predictions) if _is_path(each)]
        return [(next(iter(named), "case"), _annotation(predictions), _annotation(references))]
    if _is_nameless(predictions) or _is_nameless(references):
        return _in_order(predictions, references)
    predicted, reference = _by_name(predictions), _by_name(references)
    if not predicted.keys() & reference.keys():
        raise AnnotationError(
            f"No name is both in {_told(predictions)} ({_some(predicted)}) and in"
            f" {_told(references)} ({_some(reference)}).{_meant(told_near(reference, predicted))}"
        )
    names = [*reference, *(name for name in predicted if name not in reference)]
    return [(name, predicted.get(name), reference.get(name)) for name in names]


def _is_path(given) -> bool:
    return isinstance(given, (str, os.PathLike))


def _is_one(given) -> bool:
    if _is_path(given):
        return Path(given).is_file()
    return isinstance(given, (Annotation, Prediction))


def _is_nameless(given) -> bool:
    if _is_path(given) or isinstance(given, Mapping):
        return False
    return not isinstance(given, (list, tuple)) or not all(map(_is_path, given))


def _in_order(predictions, references) -> list:
    for given, other in ((predictions, references), (references, predictions)):
        if not _is_one(given) and (_is_path(given) or isinstance(given, Mapping)):
            raise AnnotationError(
                f"The cases of {_told(given)} have names, and those that they are compared with have"
                f" none ({type(other).__name__}): give those as a dict of names to cases."
            )
    predicted, reference = _listed(predictions), _listed(references)
    if len(predicted) != len(reference):
        raise AnnotationError(
            f"{len(predicted)} predictions cannot be compared in order with {len(reference)}"
            " references: give both as dicts of names to cases."
        )
    return [
        (_stem(Path(r)) if _is_path(r) else str(number), _annotation(p), _annotation(r))
        for number, (p, r) in enumerate(zip(predicted, reference), 1)
    ]


def _listed(given) -> list:
    if _is_one(given) or not isinstance(given, Iterable):
        return [given]
    return list(given)


def _annotation(given) -> Annotation:
    if isinstance(given, Prediction):
        return given.annotation()
    if isinstance(given, Annotation):
        return given
    if _is_path(given):
        return read_annotation(given)
    raise AnnotationError(
        "A case to compare is a Prediction, an Annotation or the path of an annotation file, not of"
        f" the type {type(given).__name__}."
    )


def _by_name(given) -> dict:
    """Name to Annotation."""
    if isinstance(given, Mapping):
        return {str(name): _annotation(case) for name, case in given.items()}
    if _is_path(given):
        path = Path(given)
        if is_dataset(path):
            return read_annotations(path)
        if not path.exists():
            raise AnnotationError(f"There is no file or folder '{path}'.")
        given = sorted(path.iterdir()) if path.is_dir() else [path]
        files = [file for file in given if _is_annotation_file(file)]
        if not files:
            raise AnnotationError(f"'{path}' holds no annotations ({', '.join(_SUFFIXES)}).")
    else:
        files = [Path(each) for each in given]
    named = {}
    for file in files:
        if _stem(file) in named:
            raise AnnotationError(
                f"'{named[_stem(file)]}' and '{file}' are two files for one case."
            )
        named[_stem(file)] = file
    return {name: read_annotation(file) for name, file in named.items()}


def _is_annotation_file(path: Path) -> bool:
    return not path.name.startswith(".") and path.name.lower().endswith(_SUFFIXES)


def _stem(path: Path) -> str:
    suffix = next((s for s in _SUFFIXES if path.name.lower().endswith(s)), path.suffix)
    return path.name[: len(path.name) - len(suffix)]


def _told(given) -> str:
    if _is_path(given):
        return f"'{given}'"
    return "the dict" if isinstance(given, Mapping) else "the list"


def _meant(sentences) -> str:
    """The first few sentences, for the end of a message."""
    return "".join(f" {sentence}." for sentence in sentences[:3])


def _some(names) -> str:
    """The first few names, for a message."""
    return ", ".join([*names][:3]) + (", ..." if len(names) > 3 else "")
