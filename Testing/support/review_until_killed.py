"""A review in a process of its own, which ends it by itself or waits to be killed.

    python review_until_killed.py FOLDER STEPS

After each step a line on standard output says what the landmarks are then: JSON, name to
[review, voxel indices or null]. With STEPS of 0 it goes on for ever.
"""

import json
import os
import signal
import sys

from headless.scene import shared_application
from LandmarkHeatmapLib.journal.journals import ReviewJournals
from LandmarkHeatmapLib.result import markups
from LandmarkHeatmapLib.result.detection_result import DetectionResult
from LandmarkHeatmapLib.review.session import ReviewSession
from LandmarkHeatmapLib.volumes import add_volume, image_of
from mrml_examples import make_image, make_prediction


def told(result) -> dict:
    """Name to [review, voxel indices or None], of all landmarks as they stand."""
    ijk = image_of(result.volume_node).grid.to_ijk(result.positions_lps())
    reviews = result.reviews()
    return {
        name: [reviews[name].value, None if place[0] != place[0] else list(map(float, place))]
        for name, place in zip(result.landmarks.names, ijk)
    }


def acts(session):
    """One step after another, of every kind, without an end."""
    number = 0
    while True:
        number += 1
        session.select(("Head_L", "Tip", "Gone", "Head_R")[number % 4], jump=False)
        name = session.current
        yield session.confirm
        yield lambda name=name, at=(number % 50, 1, 2): session.result.move(name, at)
        yield session.undo
        yield session.redo
        yield session.mark_absent
        yield session.restore
        near = markups.world_positions(session.result.predicted_node)[
            session.result.landmarks.index(name)
        ]
        if near[0] == near[0]:
            yield lambda name=name, at=near + 3: session.result.move(name, at)
            yield session.snap


def main(folder, steps) -> None:
    application = shared_application()
    image = make_image()
    volume = add_volume(application.scene, image, "Name of the Patient")
    result = DetectionResult.publish(volume, make_prediction(image))
    journals = ReviewJournals(folder)
    journals.follow(result)
    session = ReviewSession(result)
    for number, act in enumerate(acts(session), start=1):
        act()
        print(json.dumps(told(result)), flush=True)
        if number == steps:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
