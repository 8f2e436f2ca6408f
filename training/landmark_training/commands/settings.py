"""Settings on the command line, for every command that trains."""

from __future__ import annotations

import argparse
import json

from landmark_heatmap.annotation.mirror_pairs import read_pairs
from landmark_heatmap.errors import DatasetError
from landmark_heatmap.files import read_text

from ..planning.config import TrainConfig


def add_fit_options(parser: argparse.ArgumentParser) -> None:
    """What is asked of a training: the data, the model to begin with, and all settings."""
    parser.add_argument(
        "--data",
        action="extend",
        nargs="+",
        metavar="DATASET",
        help="exported dataset folders, or folders of images with .mrk.json files of the same name",
    )
    parser.add_argument(
        "--from",
        dest="parent",
        metavar="MODEL",
        help="the model to continue from, a file or the name of one that comes along",
    )
    add_settings(parser)


def add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", help="a JSON file with settings")
    parser.add_argument("--epochs", type=int, metavar="N", help="how many epochs")
    parser.add_argument(
        "--minutes", type=float, metavar="M", help="end after this time at the latest"
    )
    parser.add_argument(
        "--set",
        action="extend",
        nargs="+",
        default=[],
        metavar="SETTING=VALUE",
        help="any of the settings, values as in JSON, for instance rotation_degrees=30",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="the seed of all chance")
    add_pairs(parser)
    parser.add_argument("--name", help="the name that the model will show")
    parser.add_argument("--licence", help="the licence under which the model may be passed on")


def add_pairs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pairs",
        metavar="FILE",
        help="left and right, where names do not say: 'left,right' on each line, or one name alone that"
        " lies on the midline",
    )


def config_of(options) -> TrainConfig:
    """The file's settings, then those of --set, then those with options of their own."""
    config = TrainConfig.read(options.config) if options.config else TrainConfig()
    pairs, midline = pairs_in(options.pairs) if options.pairs else (None, None)
    return config.with_settings(settings_of(options.set), "--set").replaced(
        mirror_pairs=pairs,
        midline=midline,
        epochs=options.epochs,
        minutes=options.minutes,
        seed=options.seed,
        name=options.name,
        licence=options.licence,
    )


def pairs_in(path) -> tuple:
    """(pairs, midline) that a file states. Raises DatasetError for one that cannot be read."""
    return read_pairs(read_text(path, DatasetError), f"'{path}'")


def settings_of(texts) -> dict:
    """From SETTING=VALUE. Raises DatasetError for a text without a value."""
    settings = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise DatasetError(f"--set {text}: a setting is given as SETTING=VALUE.")
        try:
            settings[name] = json.loads(value)
        except ValueError:
            settings[name] = value  # a word needs no quotes
    return settings
