"""Model cards: what a person writes stands in the model and is told; what makes no sense is refused."""

import json
from dataclasses import replace

import pytest

from landmark_heatmap import cli
from landmark_heatmap.annotation.landmarks import Landmark, LandmarkSet
from landmark_heatmap.errors import ModelFileError
from landmark_heatmap.model.cards.card import ModelCard
from landmark_heatmap.model.cards.card_file import read_card
from landmark_heatmap.model.cards.card_text import card_sections, markdown
from landmark_heatmap.model.description import (
    IntensityNormalisation,
    ModelDescription,
    NetworkConfig,
    Stage,
)
from landmark_heatmap.model.shipped import shipped_models

CARD = {
    "purpose": "To measure wings.",
    "not_for": ["Birds."],
    "population": "Flies of one species.",
    "modality": "Photographs.",
    "errors": [
        {"what": "ten wings", "mean": 2.1, "low": 1.9, "high": 2.4, "cases": 10, "unit": "px"}
    ],
    "data": [{"name": "Wings", "licence": "CC0", "citation": "Somebody 2020"}],
    "not_tried": ["Drawings."],
}
FILE = {
    "schema": "landmark-heatmap-card",
    "schema_version": 1,
    "name": "Wings",
    "licence": "CC0-1.0",
    "landmarks": {"Tip": "the tip | of the wing"},
    "card": CARD,
}
MODEL = ModelDescription(
    name="train",
    landmarks=LandmarkSet((Landmark("Tip"), Landmark("Root", "where it begins"))),
    intensity=IntensityNormalisation(),
    stages=(Stage("coarse", (4, 4), 6.0, NetworkConfig(2, 2, (4, 8), 4, 1)),),
)


def written(folder, document):
    path = folder / "card.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def changed(**values):
    return {**FILE, "card": {**CARD, **values}}


def test_a_card_stands_in_the_description_and_is_read_again(tmp_path):
    carded = read_card(written(tmp_path, FILE)).applied(MODEL)
    assert (carded.name, carded.licence, carded.version) == ("Wings", "CC0-1.0", MODEL.version)
    assert carded.landmarks.landmarks[0].definition == "the tip | of the wing"
    assert carded.landmarks.landmarks[1].definition == "where it begins"
    again = ModelDescription.from_json(json.loads(json.dumps(carded.to_json())))
    assert again == carded
    assert again.card.errors[0].percent == 95


def test_a_model_without_a_card_is_read_as_ever():
    document = MODEL.to_json()
    del document["card"]
    assert ModelDescription.from_json(document) == MODEL
    assert card_sections(MODEL) == []


@pytest.mark.parametrize(
    "document, told",
    [
        ([], "schema is 'landmark-heatmap-card'"),
        ({**FILE, "schema": "other"}, "schema"),
        ({**FILE, "schema_version": 2}, "Update LandmarkHeatmap"),
        ({**FILE, "licences": "CC0"}, "'licences'"),
        ({**FILE, "licence": " "}, "'licence' is empty"),
        ({**FILE, "landmarks": {"Tip": 3}}, "definition of 'Tip' is 3"),
        ({key: value for key, value in FILE.items() if key != "card"}, "no 'card'"),
        (changed(purpose=""), "'purpose' is empty"),
        (changed(purpos="x"), "'purpos'"),
        (changed(not_for=[]), "'not_for'"),
        (changed(not_tried="all"), "'all'"),
        (
            changed(errors=[{**CARD["errors"][0], "mean": 3.0}]),
            "not within its interval 1.9 to 2.4",
        ),
        (changed(errors=[{**CARD["errors"][0], "unit": "cm"}]), "'cm'"),
        (changed(errors=[{**CARD["errors"][0], "cases": 0}]), "'cases' is 0"),
        (changed(data=[{"name": "Wings", "licence": "CC0"}]), "no 'citation'"),
        (changed(data=["Wings"]), "'Wings'"),
    ],
)
def test_a_bad_card_is_refused_with_what_is_wrong(tmp_path, document, told):
    path = written(tmp_path, document)
    with pytest.raises(ModelFileError) as error:
        read_card(path)
    assert told in str(error.value)
    assert str(path) in str(error.value)


def test_a_card_that_defines_a_strange_landmark_does_not_belong_to_the_model(tmp_path):
    path = written(tmp_path, {**FILE, "landmarks": {"Nose": "its tip"}})
    with pytest.raises(ModelFileError, match="'Nose', which is no landmark of 'train'"):
        read_card(path).applied(MODEL)


def test_a_card_of_a_later_version_with_more_in_it_is_read_from_a_model():
    assert ModelCard.from_json({**CARD, "colour": "red"}).purpose == CARD["purpose"]


def test_the_document_says_all_of_the_card_and_keeps_its_tables_whole(tmp_path):
    text = markdown(read_card(written(tmp_path, FILE)).applied(MODEL))
    assert text.startswith("# Wings 1\n")
    for said in (
        "To measure wings.",
        "Birds.",
        "2.10 px (1.90 to 2.40, 95 %) on 10 cases: ten wings",
    ):
        assert said in text
    assert "| Tip | the tip \\| of the wing |" in text
    assert "Wings, CC0. Somebody 2020" in text


def test_a_model_without_a_card_is_told_too():
    text = markdown(replace(MODEL, licence="CC0-1.0"))
    assert "CC0-1.0" in text and "| Root | where it begins |" in text


@pytest.mark.parametrize("name", shipped_models())
def test_every_model_that_comes_along_has_a_card(name, capsys):
    assert cli.main(["describe", name, "--markdown"]) == 0
    told = capsys.readouterr().out
    assert "## Expected error" in told and "## Never tried on" in told
