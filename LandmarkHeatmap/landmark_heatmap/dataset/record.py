"""What was done to the landmarks of a case: by whom, when, and after which model's prediction."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path

from .. import __version__
from ..annotation.landmarks import LandmarkSet, PointState
from ..errors import DatasetError, LandmarkHeatmapError, quoted
from ..files import sha256_of
from ..model.description import ModelIdentity
from .documents import RECORD_SCHEMA, SCHEMA_VERSION, read_document

# What systems allow.
_LONGEST_FILE_NAME = 255


class Review(str, Enum):
    """What a person did about one predicted landmark."""

    UNTOUCHED = "untouched"  # nothing: it is no label
    CONFIRMED = "confirmed"  # looked at and left where it was
    CORRECTED = "corrected"  # moved, or placed where the model had seen none
    MARKED_ABSENT = "marked_absent"  # said not to be in this image


# What a person did says what the point is: training reads the point, people read the record. What
# nobody looked at must never read as placed or absent, for those are labels.
STATES_OF_REVIEW = {
    Review.UNTOUCHED: (PointState.PREDICTED, PointState.UNJUDGED),
    Review.CONFIRMED: (PointState.PLACED, PointState.ABSENT),
    Review.CORRECTED: (PointState.PLACED,),
    Review.MARKED_ABSENT: (PointState.ABSENT,),
}


@dataclass(frozen=True)
class CaseRecord:
    """All that is known of how the landmarks of a case came about.

    reviews: name to Review for every landmark. complete: whether every landmark was judged.
    annotator: as the user wishes to be called; may be empty. image_note: which part of the source
    was used, where it had several components or frames. followed: name to the names of the landmarks
    because of which it was moved, of those that are where an accepted proposal has put them.
    """

    reviews: dict
    annotator: str = ""
    model: ModelIdentity = None
    created: str = field(default_factory=lambda: datetime.now(timezone.utc).isoformat())
    image_note: str = ""
    followed: dict = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return Review.UNTOUCHED not in self.reviews.values()

    def in_names_of(self, landmarks: LandmarkSet) -> CaseRecord:
        """The same as LandmarkSet.by_names_now has it."""
        followed = {
            name: tuple(landmarks.by_names_now(dict.fromkeys(led)))
            for name, led in landmarks.by_names_now(self.followed).items()
        }
        return replace(self, reviews=landmarks.by_names_now(self.reviews), followed=followed)


def record_document(record, annotation, case_folder, image_name, landmarks) -> dict:
    image = None
    if image_name is not None:
        image = {"file": image_name, "sha256": sha256_of(case_folder / image_name)}
        image["note"] = record.image_note
    return {
        "schema": RECORD_SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "case": case_folder.name,
        "image": image,
        "annotator": record.annotator,
        "created": record.created,
        "software": f"LandmarkHeatmap {__version__}",
        "model": None if record.model is None else record.model.to_json(),
        "complete": record.complete and set(landmarks.names) == set(record.reviews),
        "points": {
            name: {
                "review": review.value,
                "state": annotation.state(name).value,
                **({"followed": list(record.followed[name])} if record.followed.get(name) else {}),
            }
            for name, review in record.reviews.items()
        },
    }


def image_name_in(record_path: Path):
    """The file name of the image that a record states, None if it states that there is none."""
    image = read_document(record_path, RECORD_SCHEMA).get("image")
    if image is None:
        return None
    name = image.get("file") if isinstance(image, dict) else None
    usable = isinstance(name, str) and Path(name).name == name and "\0" not in name
    if not usable or not 0 < len(name.encode("utf-8")) <= _LONGEST_FILE_NAME:
        raise DatasetError(f"'{record_path}' names no usable image: {quoted(image)}.")
    return name


def judged_names(record_path: Path, landmarks: LandmarkSet) -> tuple:
    """(names of the landmarks that a record states as corrected, names of those that were left where a
    model had put them, the SHA-256 of its file), as the landmarks are called now. Nothing, and "", of a
    model where a record names none."""
    document = read_document(record_path, RECORD_SCHEMA)
    points, model = document.get("points"), document.get("model")
    if not isinstance(points, dict) or not all(isinstance(p, dict) for p in points.values()):
        raise DatasetError(f"'{record_path}' does not say what was done to the points.")
    now = landmarks.by_names_now(points)

    def reviewed(as_what: Review) -> frozenset:
        return frozenset(n for n, p in now.items() if p.get("review") == as_what.value)

    sha256 = model.get("sha256") if isinstance(model, dict) else None
    if not isinstance(sha256, str):
        return reviewed(Review.CORRECTED), frozenset(), ""
    return reviewed(Review.CORRECTED), reviewed(Review.CONFIRMED), sha256


def read_record(record_path: Path) -> CaseRecord:
    """A record as it was written. Raises DatasetError for one that cannot be understood."""
    document = read_document(record_path, RECORD_SCHEMA)
    try:
        points, model, image = document["points"], document["model"], document["image"]
        return CaseRecord(
            {name: Review(point["review"]) for name, point in points.items()},
            str(document["annotator"]),
            None if model is None else ModelIdentity(**{k: str(v) for k, v in model.items()}),
            str(document["created"]),
            "" if image is None else str(image.get("note", "")),
            {name: tuple(map(str, point.get("followed", ()))) for name, point in points.items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        told = quoted(error, 300)
        raise DatasetError(
            f"'{record_path}' does not say how its points came about ({told})."
        ) from error


def read_by_whom(record_path: Path) -> tuple:
    """(annotator, when in UTC as '2026-05-04 13:05 UTC') as a record states them; empty where it does
    not, or cannot be read."""
    try:
        document = read_document(record_path, RECORD_SCHEMA)
    except (LandmarkHeatmapError, OSError):
        return "", ""
    annotator, created = document.get("annotator"), document.get("created")
    return annotator if isinstance(annotator, str) else "", told_time(created)


def told_time(created) -> str:
    """A time in ISO 8601 as '2026-05-04 13:05 UTC'; empty for what is none."""
    try:
        moment = datetime.fromisoformat(created)
        return moment.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    except (TypeError, ValueError, OverflowError, OSError):
        return ""
