"""landmark-train plan: what a training would do and why, before it begins."""

from __future__ import annotations

import math

from landmark_heatmap.errors import DatasetError

from .settings import add_fit_options, config_of


def add_command(commands) -> None:
    plan = commands.add_parser(
        "plan", help="say what `fit` would do with these data, and why; trains nothing"
    )
    add_fit_options(plan)
    plan.set_defaults(command=_plan)


def _plan(options) -> int:
    if not options.data:
        raise DatasetError("plan needs --data.")
    from ..progress import doing, shown, voice

    with shown():
        doing("loading torch")
        from landmark_heatmap.model.shipped import model_path

        from ..data.cases import split_cases
        from ..data.prepare import model_to_start_from, planned
        from ..learning.losses import check_losses

        config = config_of(options)
        check_losses(config.losses, config.head)
        path = options.parent and model_path(options.parent)
        parent = model_to_start_from(path) if path else None
        say = voice(print)
        ready = planned(options.data, config, parent, say)
        names = [case.name for case in ready.checked.cases]
        split = split_cases(names, config.validation_share, config.seed, config.held_out)
        for line in _sentences(ready.plan, *map(len, split), is_new=parent is None):
            say(line)
    return 0


def _sentences(plan, trained_on: int, held_out: int, is_new: bool) -> list:
    told = [f"{trained_on} cases to train on, {held_out} to judge by while training."]
    if not held_out:
        told.append("No case can be held out: how good the model is will not be known.")
    elif not is_new:
        told.append("At the end both models are compared on the held-out cases.")
    return [*told, *(f"  {reason}" for reason in plan.reasons), *_times(plan)]


def _times(plan) -> list:
    """How long it takes, by what a step was measured to take."""
    from ..learning.clock import Clock
    from ..progress import duration

    stages = [each for each in (plan.stage, plan.fine) if each is not None]
    clock = Clock([each.role for each in stages], plan.config, step_seconds=plan.step_seconds)
    told = []
    for stage in stages:
        clock.enter(stage.role)
        seconds, epochs = clock.epoch_seconds(), clock.expected_epochs(0)
        if seconds is None or math.isinf(epochs):
            continue
        allows = "" if plan.config.minutes is None else " that the time allows"
        count = f"{epochs} epoch{'s' * (epochs != 1)}"
        told.append(f"The {stage.role} stage: about {count}{allows}, {duration(seconds)} each.")
    if plan.config.minutes is not None:
        told.append(f"It takes {plan.config.minutes:g} min.")
    return told
