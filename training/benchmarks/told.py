"""Whether it pays to tell the network, too, what a person has placed: against the joint shape alone.

    python training/benchmarks/told.py MODEL TRAIN TEST [--seconds 70] [--untold]

A second joint part of the network, behind its answer, is told landmarks as channels. It learns on TRAIN,
from answers that were spoiled, with some of the landmarks given, while all else stays as it is; where
nothing is given, it changes nothing. Then the drags of drags.py are played on TEST: by hand, with the
joint shape, with the network that is told, and with both. Of two stages the coarse one alone is taken.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from drags import DRAGS, FAULTS, drag, moved_by, mre, reference, sight_with
from torch import nn
from torch.nn import functional

from landmark_heatmap.detection.predict import Predictor
from landmark_heatmap.detection.prepare import prepare_with_window
from landmark_heatmap.detection.proposals import Kept
from landmark_heatmap.detection.refine import Source
from landmark_heatmap.images.geometry import in_pixels
from landmark_heatmap.images.imageio import read_image
from landmark_heatmap.model.layers.blocks import CONV
from landmark_heatmap.model.logits import Logits, belief_of
from landmark_heatmap.model.model_file import read_model
from landmark_training.data.cases import find_cases, told_apart
from landmark_training.data.feed import Feed
from landmark_training.data.prepare import planned, training_case
from landmark_training.data.targets import TargetShape, Wanted
from landmark_training.learning.losses import total_loss
from landmark_training.planning.config import TrainConfig

# It learns on logarithms of so many voxels taken together, along each axis.
POOL = {2: 4, 3: 2}
BATCH = {2: 6, 3: 4}
RATE = 1e-3
_LEAST = 1e-12
# Of the Gaussians at what is given, as shares of the image's length.
WIDTHS = (1 / 40, 1 / 12, 1 / 4)
# How images are varied: as in training; with much hidden; so that the network fails.
HARD = {"intensity_jitter": 0.9, "noise": 0.25, "rotation_degrees": 45.0, "translation_share": 0.2}
VARIED = ({}, {"occlusion": 0.55}, HARD)
# Each: (statistics, told).
ARMS = {"by hand": (0, 0), "joint": (1, 0), "told": (0, 1), "told and joint": (1, 1)}


class Told(nn.Module):
    """A joint part that is told landmarks: what it adds to a network's answer; always, if not is_told."""

    def __init__(self, network, is_told: bool):
        super().__init__()
        self.is_told, config = is_told, network.config
        self.part = copy.deepcopy(network.joint)
        channels = config.landmarks * (len(WIDTHS) + config.dimension + 1)
        self.told = CONV[config.dimension](channels, config.joint_features, 1, bias=False)
        nn.init.normal_(self.told.weight, std=0.05)
        nn.init.zeros_(self.part.leave.weight)
        nn.init.zeros_(self.part.leave.bias)

    def forward(self, voxels, features, given, at):
        """voxels (B, L, *size), with what is added. given: (B, L) bool. at: (B, L, D), in voxels."""
        given = given & self.is_told
        own, maps = _maps(given, at, features.shape[2:], voxels.shape[2:])
        is_given = _wide(given, features.ndim - 2)
        shares = torch.where(is_given, own, self.part._shares(voxels, features))
        x = self.part.enter(torch.cat([shares, features], 1)) + self.told(maps)
        for convolution, norm in self.part.wide:
            x = x + functional.leaky_relu(norm(convolution(x)), 0.01)
        more = self.part._enlarged(self.part.leave(x), voxels)
        is_added = given.any(1, keepdim=True) | (not self.is_told)
        return voxels + more * _wide(is_added, features.ndim - 2)


def random(generator) -> float:
    return float(torch.rand(1, generator=generator))


def _wide(values, axes: int):
    return values.reshape(*values.shape, *(1,) * axes)


def _maps(given, at, size, full):
    """((B, L, *size) peaks at what is given, (B, C, *size) Gaussians, distances and whether it is)."""
    dimension, is_given = len(size), _wide(given, len(size)).float()
    cell = torch.tensor([f / s for f, s in zip(full, size)])
    there = torch.where(given[..., None], (at + 0.5) / cell - 0.5, 0.0)
    axes = [torch.arange(n, dtype=torch.float32) for n in size]
    there = _wide(there, dimension).movedim(2, -1)
    apart = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1) - there
    peak = (1 - apart.abs()).clamp_min(0).prod(-1) * is_given
    peak = peak / _wide(peak.flatten(2).sum(2).clamp_min(1e-6), dimension)
    length, square = sum(size) / dimension, apart.square().sum(-1)
    maps = [torch.exp(-0.5 * square / (width * length) ** 2) * is_given for width in WIDTHS]
    maps += [2 * each / length * is_given for each in apart.unbind(-1)]
    return peak, torch.cat([*maps, is_given.expand_as(square)], 1)


@torch.no_grad()
def answered(network, image) -> tuple:
    """(voxels, features, nowhere), padded: what the network answers, and what its joint part sees."""
    decoded, pooled = network._decoded(image)
    features = decoded[network.config.joint_level]
    voxels = network.joint(network.local(decoded[0]), features)
    return voxels, features, network.nowhere(pooled)


def spoiled(voxels, at, present, pairs, generator):
    """voxels (B, L, *size), some landmarks of most cases displaced, turned, swapped or not seen."""
    voxels = voxels.clone()
    for one, places, there in zip(voxels, at, present):
        index, kind = torch.nonzero(there)[:, 0], random(generator)
        count = max(1, int(random(generator) * 0.75 * len(index)))
        some = index[torch.randperm(len(index), generator=generator)][:count].tolist()
        far = float(places[there].var(0, unbiased=False).sum().sqrt())
        shift, turn = _step(at, generator), _turn(at.shape[-1], generator)
        for a, b in _swaps(pairs, index, generator) if 0.65 < kind < 0.8 else ():
            one[[a, b]] = one[[b, a]]
        for landmark in some:
            apart = places[landmark] - places[there].mean(0)
            if 0.3 < kind < 0.5:
                away = far * (0.15 + 0.6 * random(generator))
                one[landmark] = _moved(one[landmark], away * _step(at, generator))
            elif 0.5 < kind < 0.65:
                one[landmark] = _moved(one[landmark], turn @ apart - apart + 0.2 * far * shift)
            elif kind > 0.8:
                one[landmark] *= 0.05 + 0.3 * random(generator)
    return voxels


def _step(at, generator):
    return functional.normalize(torch.randn(at.shape[-1], generator=generator), dim=0)


def _turn(dimension: int, generator):
    """Within the plane of the last two axes."""
    angle = (2 * random(generator) - 1) * math.pi
    cos, sin = math.cos(angle), math.sin(angle)
    turn = torch.eye(dimension)
    turn[-2:, -2:] = torch.tensor([[cos, -sin], [sin, cos]])
    return turn


def _swaps(pairs, index, generator) -> list:
    """Sides, or any."""
    if pairs and random(generator) < 0.7:
        return [pair for pair in pairs if random(generator) < 0.6]
    order = index[torch.randperm(len(index), generator=generator)].tolist()
    return list(zip(order[:3], order[3:6]))


def _moved(logs, step):
    """By whole voxels; what comes in is the least."""
    steps = [max(1 - n, min(n - 1, round(float(s)))) for s, n in zip(step, logs.shape)]
    least = logs.min()
    return torch.from_numpy(moved_by((logs - least).numpy(), steps)) + least


def some_given(voxels, at, present, generator):
    """(B, L) bool: of each case one to half of the landmarks, often those that are farthest off."""
    size, count = voxels.shape[2:], present.shape[1]
    highest = torch.stack(torch.unravel_index(voxels.flatten(2).argmax(2), size), -1)
    errors = (highest - at).norm(dim=-1)
    given = torch.zeros_like(present)
    for one, there, error in zip(given, present, errors):
        most = 3 if random(generator) < 0.6 else count // 2
        by = error if random(generator) < 0.6 else torch.rand(count, generator=generator)
        order = torch.where(there, by, -1.0).argsort(descending=True)
        many = int(torch.randint(1, most + 1, (1,), generator=generator))
        one[order[: min(many, int(there.sum()))]] = True
    return given


def learned(model, data: Path, args) -> Told:
    """The told part, as it learned on what the network answers to so many augmented images."""
    ready = planned([data], TrainConfig(epochs=1, precision="float32"), model, say=lambda _: None)
    stage, network = ready.plan.stage, model.networks[0].eval().requires_grad_(False)
    pool, names = POOL[stage.network.dimension], ready.landmarks.names
    pairs = [tuple(map(names.index, pair)) for pair in ready.landmarks.mirror_pairs]
    seen = answers(network, ready, args)
    spacing = [pool * each for each in stage.spacing_mm[::-1]]
    shape = TargetShape("fixed", len(names), max(stage.sigma_mm, 0.75 * spacing[0]), spacing)
    torch.manual_seed(args.seed)
    told = Told(network, not args.untold).requires_grad_(True)
    optimiser, start = torch.optim.AdamW(told.parameters(), RATE), time.process_time()
    generator = torch.Generator().manual_seed(args.seed)
    while (done := (time.process_time() - start) / args.seconds) < 1:
        optimiser.param_groups[0]["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * done))
        like = seen[int(random(generator) * len(seen))][0].shape
        alike = [each for each in seen if each[0].shape == like]
        picked = torch.randint(len(alike), (BATCH[len(spacing)],), generator=generator)
        batch = [torch.cat(part).float() for part in zip(*(alike[i] for i in picked))]
        voxels, features, nowhere, at, present, absent, weight = batch
        known, present, absent = torch.nan_to_num(at), present.bool(), absent.bool()
        voxels = spoiled(voxels, known, present, pairs, generator)
        given = some_given(voxels, known, present, generator)
        logits = Logits(told(voxels, features, given, known), nowhere)
        target = shape.draw(torch.where(present[..., None], at, torch.nan), voxels.shape[2:])
        weight = torch.where(given, 0.0, weight)
        wanted = Wanted(target, shape.energy(), present, absent, weight, done)
        belief = belief_of(logits, stage.network.head, shape.mass)
        optimiser.zero_grad()
        total_loss(belief, wanted, ready.plan.config.losses).backward()
        nn.utils.clip_grad_norm_(told.parameters(), 5.0)
        optimiser.step()
    return told.eval()


def answers(network, ready, args) -> list:
    """Of each augmented image (pooled logarithms, features, nowhere, places, present, absent, weight)."""
    plan, dimension = ready.plan, ready.plan.stage.network.dimension
    pool, labelled = POOL[dimension], zip(ready.checked.cases, ready.checked.labels)
    cases = [training_case(case, label, ready.landmarks, plan) for case, label in labelled]
    order, generator = ready.landmarks.mirror_permutation(), torch.Generator()
    plans = [replace(plan, config=replace(plan.config, **settings)) for settings in VARIED]
    feeds = [Feed(cases, each, order, generator.manual_seed(args.seed)) for each in plans]
    mean = functional.avg_pool2d if dimension == 2 else functional.avg_pool3d
    seen, drawn = [], {}

    # Where the landmarks are is what is wanted of a target here.
    def draw(voxels, size):
        drawn["at"] = (voxels + 0.5) / pool - 0.5

    shape = SimpleNamespace(draw=draw, energy=lambda: torch.ones(1))
    while len(seen) < args.images:
        feed = feeds[len(seen) // plan.config.batch_size % len(feeds)]
        images, wanted = feed.augmented(feed.next_share(), shape)
        voxels, features, nowhere = answered(network, images)
        shares = voxels.flatten(2).softmax(2).view_as(voxels)
        logs = mean(shares, pool).clamp_min(_LEAST / pool**dimension).log()
        known = drawn["at"], wanted.present, wanted.absent, wanted.weight
        seen += zip(*(each.split(1) for each in (logs, features, nowhere, *known)))
    return seen


class Case:
    """A case with a fault planted into what the network answers, and what follows of given landmarks."""

    def __init__(self, predictor, told, case, fault: str, number: int):
        self.predictor, self.told, self.sights = predictor, told, {}
        self.image, description = in_pixels(read_image(case.image_path)), predictor.description
        self.truth = reference(case, description.landmarks.names)
        stage, intensity = description.stages[0], description.intensity
        prepared, window = prepare_with_window(self.image, stage, intensity)
        self.source, image = Source(self.image, window), torch.from_numpy(prepared.array)
        image = image[None] if description.dimension == 2 else image[None, None]
        self.features = answered(predictor.model.networks[0], image)[1]
        rng = np.random.default_rng(number)
        self.planted = sight_with(FAULTS[fault], predictor, self.image, self.truth, rng)

    def sight(self, given: dict):
        """given: name to position, of landmarks that the network is told."""
        key = tuple(sorted((name, *position) for name, position in given.items()))
        if not given and self.told.is_told:
            return self.planted
        if key not in self.sights:
            found = replace(self.planted.found, heatmaps=self._heatmaps(given))
            self.sights[key] = self.predictor.sight_of(found, self.source)
        return self.sights[key]

    @torch.no_grad()
    def _heatmaps(self, given: dict) -> np.ndarray:
        found, dimension = self.planted.found, self.predictor.description.dimension
        names = self.predictor.description.landmarks.names
        is_given, at = torch.zeros(1, len(names), dtype=bool), torch.zeros(1, len(names), dimension)
        for name, position in given.items():
            index = found.grid.to_ijk(position)[::-1][-dimension:].copy()
            at[0, names.index(name)] = torch.from_numpy(index)
            is_given[0, names.index(name)] = True
        heatmaps = torch.from_numpy(found.heatmaps)
        logs = (heatmaps[:, 0] if dimension == 2 else heatmaps).clamp_min(_LEAST).log()[None]
        said = self.told(logs, self.features, is_given, at)[0].flatten(1).softmax(1)
        return (said * heatmaps.flatten(1).sum(1, keepdim=True)).view_as(heatmaps).numpy()


def played(case: Case, arm: str, number: int) -> tuple:
    """(MRE after 0 to 3 drags, (L,) errors before, (L,) errors at the end)."""
    by_shape, is_told = ARMS[arm]
    names, rng = case.predictor.description.landmarks.names, np.random.default_rng(number)
    least, given = case.predictor.description.stages[-1].sigma_mm, {}

    def where(given: dict):
        sight = case.sight(given if is_told else {})
        sight = sight if by_shape else replace(sight, places=None)
        known = {names.index(name): position for name, position in given.items() if by_shape}
        answer = Kept(case.predictor, sight, case.image)._answer(known, frozenset())
        there = np.array([each.is_there for each in answer.seen])
        return np.where(there[:, None], answer.positions, np.nan)

    before = where({})
    now = before.copy()
    errors, track = np.linalg.norm(now - case.truth, axis=1), [mre(now, case.truth)]
    for _ in range(DRAGS):
        drag(now, case.truth, given, names, rng, 0.0)
        after = where(given) if by_shape or is_told else before
        follows = np.linalg.norm(after - before, axis=1) > least
        follows[[names.index(name) for name in given]] = False
        now[follows], before = after[follows], after
        track.append(mre(now, case.truth))
    return track, errors, np.linalg.norm(now - case.truth, axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", "train", "test"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--cases", type=int, default=10, help="of TEST")
    parser.add_argument("--images", type=int, default=120, help="augmented, to learn on")
    parser.add_argument("--seconds", type=float, default=70.0, help="of learning")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--untold", action="store_true", help="the same part, learning without")
    args = parser.parse_args()
    model = read_model(args.model)
    (stage, *fine), belief = model.description.stages, model.belief
    described = replace(model.description, stages=(stage,))
    model = replace(model, description=described, belief=None if fine else belief)
    told, predictor = learned(model, args.train, args), Predictor(model, "cpu")
    cases = list(told_apart(find_cases([args.test])))[: args.cases]
    print("| planted | " + " | ".join(ARMS) + " | made worse |\n" + "|---" * 6 + "|")
    for fault in FAULTS:
        shown = {arm: [] for arm in ARMS}
        for number, each in enumerate(cases):
            case = Case(predictor, told, each, fault, number)
            for arm, found in shown.items():
                found.append(played(case, arm, number))
        print(row(fault, shown, stage.sigma_mm), flush=True)


def row(fault: str, shown: dict, least: float) -> str:
    """made worse: than before the first drag by hand, of all that are placed."""
    hand, cells, worse = np.concatenate([first for _, first, _ in shown["by hand"]]), [], []
    for found in shown.values():
        cells.append(" ".join(f"{value:.3g}" for value in np.mean([t for t, *_ in found], axis=0)))
        more = np.concatenate([last for *_, last in found]) - hand
        worse.append(f"{np.sum(more > least)}")
    return f"| {fault} | {' | '.join(cells)} | {', '.join(worse)} of {np.isfinite(more).sum()} |"


if __name__ == "__main__":
    main()
