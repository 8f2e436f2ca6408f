"""The commands of several models: cross-validate, ensemble."""

from __future__ import annotations

import sys
from pathlib import Path

from landmark_heatmap.command_line import INTERRUPTED, NOTHING_DONE
from landmark_heatmap.errors import DatasetError

from ..progress import doing, shown
from .settings import add_settings, config_of


def add_cross_validation(commands) -> None:
    """commands: the subparsers of landmark-train."""
    validate = commands.add_parser(
        "cross-validate", help="train a model for each fold, judged on the cases that it never saw"
    )
    validate.add_argument(
        "--data", action="extend", nargs="+", metavar="DATASET", help="as for fit"
    )
    validate.add_argument("--output", metavar="DIR", help="a new folder")
    validate.add_argument("--resume", metavar="DIR", help="go on with one; no other option")
    validate.add_argument("--folds", type=int, default=5, metavar="K", help="how many folds")
    validate.add_argument(
        "--groups",
        metavar="FILE",
        help="a csv file, case,group: cases of one group (a patient's) stay together",
    )
    validate.add_argument(
        "--ensemble", action="store_true", help="write all models as one model file, too"
    )
    add_settings(validate)
    validate.set_defaults(command=_cross_validate)
    ensemble = commands.add_parser(
        "ensemble", help="make one model file of several models of one kind, which are averaged"
    )
    ensemble.add_argument(
        "models", nargs="+", type=Path, metavar="MODEL", help="model files for the same landmarks"
    )
    ensemble.add_argument(
        "--output", required=True, type=Path, metavar="FILE", help="the new model file"
    )
    ensemble.add_argument("--name", help="the name that the ensemble will show")
    ensemble.set_defaults(command=_ensemble)


def _cross_validate(options) -> int:
    if options.resume:
        if options.data or options.output:
            raise DatasetError("--resume goes on as it was begun; give the folder alone.")
    elif not options.data or not options.output:
        raise DatasetError("cross-validate needs --data and --output, or --resume.")
    with shown():
        doing("loading torch")
        from ..crossval import cross_validate, resume_cross_validation
        from ..fit import Stopped

        try:
            if options.resume:
                return _code(resume_cross_validation(options.resume))
            evaluation = cross_validate(
                options.data,
                options.output,
                options.folds,
                config_of(options),
                options.groups,
                options.ensemble,
            )
        except Stopped:
            folder = options.resume or options.output
            print(f"To go on with all folds: landmark-train cross-validate --resume {folder}")
            return INTERRUPTED
    return _code(evaluation)


def _code(evaluation) -> int:
    if not evaluation.compared:
        print("Nothing was compared: the models find none of the landmarks.", file=sys.stderr)
    return 0 if evaluation.compared else NOTHING_DONE


def _ensemble(options) -> int:
    from ..ensemble import write_ensemble

    print(f"The model: {write_ensemble(options.models, options.output, options.name)}")
    return 0
