"""A model file with a card, to be given away, as a new file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from landmark_heatmap.model.cards.card_file import read_card
from landmark_heatmap.model.handedness import symmetry_record
from landmark_heatmap.model.model_file import read_model, write_model

from .outputs import check_new_file


def write_carded(path, card, output, half: bool = False) -> list:
    """Write the model file `path` with what the card file `card` says to the new file `output`.

    half: with weights in half precision. Returns sentences. Raises ModelFileError for a card that is none
    or does not belong to this model, DatasetError if there is anything at `output`.
    """
    output, card_file = check_new_file(Path(output)), read_card(card)
    model = read_model(path)
    description = card_file.applied(model.description)
    # Models of earlier versions do not say it.
    training = {**description.training, **symmetry_record(model.joint)}
    description = replace(description, training=training)
    write_model(
        output, description, model.networks, model.prior, model.joint, model.belief, half=half
    )
    bare = sum(not each.definition for each in description.landmarks.landmarks)
    sentences = [f"The model: {output}, {output.stat().st_size / 1e6:.1f} MB"]
    if bare:
        sentences.insert(0, f"{bare} of {len(description.landmarks)} landmarks have no definition.")
    if not description.licence:
        sentences.insert(0, "No licence is stated: nobody knows what they may do with it.")
    return sentences
