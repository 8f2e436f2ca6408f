"""A model to start from, made to know further landmarks: what it knows of the others stays as it is.

What a network has for each landmark are rows of its last layers. Those of a new one begin as the best
that the network's features allow: multinomial logistic regression over the voxels of the training cases,
which is the training's own cross-entropy with all other weights held, and has one optimum.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from landmark_heatmap.model.joint_shape import JointShape, onto, size_of
from landmark_heatmap.model.model_file import Model
from landmark_heatmap.model.network import network_for
from landmark_heatmap.model.prior import ShapePrior

from ..data.further import Continued

# Keeps the weights small where few cases say little: of standardised features.
_RIDGE, _ITERATIONS = 1e-3, 60
# So many cases tell what a new landmark looks like, at the most, and so many other voxels of each.
_MOST_CASES, _VOXELS = 20, 20_000
# How surely a new landmark is in an image, to begin with.
_LOG_ODDS = 3.0
# Of the shape: how many cases must have a landmark, how many others there must be, how far one sees of
# the others' motion (a share of the shape's size) and what of that is noise, and as how many cases the
# others' variance counts.
_FEWEST_CASES, _FEWEST_LANDMARKS, _REACH, _NUGGET, _USUAL_CASES = 2, 4, 0.6, 0.1, 2
# The weights of a network that have a column, and those that have a row, a landmark.
_ENTERING = "joint.enter.weight"
_OF_LANDMARKS = (
    *("local.weight", "local.bias", "nowhere.weight", "nowhere.bias"),
    *("joint.leave.weight", "joint.leave.bias", "condition.weight"),
)


def grown(model: Model, going_on: Continued) -> Model:
    """The same model with channels for the landmarks of `going_on`, in their order.

    New channels know nothing yet (see `begin_channels`); all others answer as they did. The prior and
    the joint shape say nothing of the new landmarks.
    """
    description = going_on.described(model.description)
    before = going_on.before
    networks = tuple(
        _grown_network(network, stage, before)
        for network, stage in zip(model.networks, description.stages)
    )
    prior = None if model.prior is None else _grown_prior(model.prior, before)
    joint = None if model.joint is None else _grown_joint(model.joint, before)
    return replace(
        model, description=description, networks=networks, prior=prior, joint=joint, belief=None
    )


def _grown_network(network, stage, before):
    """With a row of the last layers for each landmark, and a column of what the joint part is told."""
    new, state = network_for(stage), dict(network.state_dict())
    entering = state.get(_ENTERING)
    if entering is not None:
        # A new landmark's share is not listened to yet.
        known = len(state["local.bias"])
        told, rest = entering[:, :known], entering[:, known:]
        state[_ENTERING] = torch.cat([_rows(told.transpose(0, 1), before).transpose(0, 1), rest], 1)
    for name in _OF_LANDMARKS:
        if name in state:
            state[name] = _rows(state[name], before)
    new.load_state_dict(state)
    return new.eval()


def _rows(old: torch.Tensor, before) -> torch.Tensor:
    """Zero for new ones."""
    nothing = torch.zeros_like(old[0])
    return torch.stack([nothing if channel is None else old[channel] for channel in before])


def _grown_prior(prior: ShapePrior, before) -> ShapePrior:
    """cases is zero for pairs with a new landmark: nothing is known of those."""
    index, is_new = _places(before)
    pairs = np.ix_(index, index)
    either = is_new[:, None] | is_new
    return replace(
        prior,
        mean=np.where(either[..., None], 0.0, prior.mean[pairs]),
        covariance=np.where(either[..., None, None], 0.0, prior.covariance[pairs]),
        cases=np.where(either, 0, prior.cases[pairs]),
        shape=None if prior.shape is None else _or_nan(prior.shape[index], is_new),
    )


def _grown_joint(joint: JointShape, before) -> JointShape:
    index, is_new = _places(before)
    spread = joint.covariance[index][:, :, index]
    either = (is_new[:, None] | is_new)[:, None, :, None]
    return replace(
        joint,
        mean=_or_nan(joint.mean[index], is_new),
        covariance=np.where(either, 0.0, spread),
    )


def _places(before) -> tuple:
    """(channel in the old model, 0 for a new one; whether it is new), each (L,)."""
    return np.array([channel or 0 for channel in before]), np.array([c is None for c in before])


def _or_nan(values, is_new) -> np.ndarray:
    return np.where(is_new[:, None], np.nan, values)


@torch.no_grad()
def begin_channels(networks, cases, going_on: Continued) -> None:
    """Let the new channels of `grown` networks begin with what the features tell. cases: TrainingCases.

    The coarse network's see where in these the landmark is placed; the fine one's begin as the mean of
    the others: something like a landmark.
    """
    is_new = torch.tensor([channel is None for channel in going_on.before])
    for network in networks[1:]:
        for name in _OF_LANDMARKS:
            rows = network.state_dict().get(name)
            if rows is not None and not is_new.all():
                rows[is_new] = rows[~is_new].mean(0)
    _begin_coarse(networks[0], cases, np.flatnonzero(is_new.numpy()).tolist())


def _begin_coarse(network, cases, channels) -> None:
    placed = {
        channel: [c for c in cases if not torch.isnan(c.centred_mm[channel]).any()][:_MOST_CASES]
        for channel in channels
    }
    channels = [channel for channel in channels if placed[channel]]
    looked_at = [(case, [c for c in channels if case in placed[c]]) for case in cases]
    looked_at = [(case, which) for case, which in looked_at if which]
    told, totals = ({channel: [] for channel in channels} for _ in range(2))
    for case, which in looked_at:
        features = _features_of(network, case)
        some = torch.linspace(0, features.shape[1] - 1, min(features.shape[1], _VOXELS)).long()
        for channel in which:
            at = torch.tensor([_voxel_of(case, channel)])
            told[channel].append(features[:, torch.cat([at, some])])
    weights = {channel: _best_weight(torch.stack(told[channel])) for channel in channels}
    # The features of all cases would not fit into memory: they are computed once more.
    for case, which in looked_at:
        features = _features_of(network, case)
        for channel in which:
            totals[channel].append(torch.logsumexp(weights[channel] @ features, 0))
    for channel, weight in weights.items():
        network.local.weight[channel] = weight.reshape(network.local.weight[channel].shape)
        network.local.bias[channel] = _LOG_ODDS - torch.stack(totals[channel]).mean()


@torch.enable_grad()
def _best_weight(features: torch.Tensor) -> torch.Tensor:
    """(F,), under which the first voxel of each case is likeliest among all. features: (N, F, V)."""
    scale = features.transpose(0, 1).flatten(1).std(1).clamp_min(1e-6)
    features = features / scale[:, None]
    weight = torch.zeros(len(scale), requires_grad=True)
    optimiser = torch.optim.LBFGS([weight], max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

    def loss():
        optimiser.zero_grad()
        log_p = torch.log_softmax(torch.einsum("f,nfv->nv", weight, features), 1)
        value = _RIDGE * (weight**2).sum() - log_p[:, 0].mean()
        value.backward()
        return value

    optimiser.step(loss)
    return weight.detach() / scale


def _features_of(network, case) -> torch.Tensor:
    """(features, voxels)"""
    return network.features(case.pixels[None, None].float())[0].flatten(1)


def _voxel_of(case, channel: int) -> int:
    """The number, among all voxels, of that at the landmark."""
    size = np.array(case.pixels.shape)
    spacing = np.array(case.prepared.grid.spacing_mm)[: len(size)][::-1]
    index = np.round(case.centred_mm[channel].numpy() / spacing + (size - 1) / 2).astype(int)
    return int(np.ravel_multi_index(np.clip(index, 0, size - 1), size))


def with_further(joint: JointShape, positions) -> JointShape:
    """The joint shape with the landmarks that it knows nothing of, as far as cases (N, L, D) have them.

    Each is placed by those that it knows: as a smooth field over the mean shape would have it (kriging,
    as Gaussian processes are called there), and what the cases lie off that is its own.
    """
    there = np.isfinite(positions).all(-1)
    new = np.flatnonzero(~joint.known & (there.sum(0) >= _FEWEST_CASES))
    old = np.flatnonzero(joint.known)
    if not len(new) or len(old) < _FEWEST_LANDMARKS:
        return joint
    turned = np.array([onto(joint.mean, each) for each in positions])
    places = np.where(joint.known[:, None], joint.mean, np.nanmean(turned, axis=0))
    weights = _kernel(places[new], places[old]) @ np.linalg.inv(
        _kernel(places[old], places[old]) + _NUGGET * np.eye(len(old))
    )
    apart = np.nan_to_num(turned[:, old] - joint.mean[old])
    rest = turned[:, new] - np.einsum("no,cod->cnd", weights, apart)
    mean, covariance = joint.mean.copy(), joint.covariance.copy()
    mean[new] = np.nanmean(rest, axis=0)
    known = joint.covariance[old][:, :, old]
    across = np.einsum("no,oipj->nipj", weights, known)
    among = np.einsum("nipj,mp->nimj", across, weights)
    among += _own(rest - mean[new], known, there[:, new].sum(0))
    d = joint.mean.shape[1]
    covariance[np.ix_(new, range(d), old, range(d))] = across
    covariance[np.ix_(old, range(d), new, range(d))] = across.transpose(2, 3, 0, 1)
    covariance[np.ix_(new, range(d), new, range(d))] = among
    return replace(joint, mean=mean, covariance=covariance)


def _kernel(a, b) -> np.ndarray:
    """(A, B): how much of a motion of b a has, 1 in the same place."""
    square = ((a[:, None] - b) ** 2).sum(-1)
    reach = _REACH * size_of(np.concatenate([a, b]))
    return np.exp(-square / 2 / reach**2)


def _own(rest, known, counts) -> np.ndarray:
    """(N, D, N, D): each new landmark's own variance, alike in every direction; few cases know it badly,
    so that of the others counts as some."""
    usual = np.einsum("oioi->", known) / (known.shape[0] * known.shape[1])
    squares = np.nansum(rest**2, axis=(0, 2)) / rest.shape[2]
    variance = (squares + _USUAL_CASES * usual) / (counts - 1 + _USUAL_CASES)
    return np.einsum("n,nm,ij->nimj", variance, np.eye(len(variance)), np.eye(rest.shape[2]))
