"""Features of a Learner's body, computed once, and a fitted head put into the Learner."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from fastai.vision.all import Learner
from torch import nn

from ...catalog import Dataset
from ...head import LinearHead, find_shift, fit_head_by_cross_validation
from ...model import FeatureCache, fill_cache
from ...photos import TRAIN, Progress
from ..export import ExportNet, compute_features_id
from ..network import read_preprocess

Array = npt.NDArray[Any]


def compute_features(learn: Learner, data: Dataset, split: str, progress: Progress | None = None) -> Array:
    """Return (N, D) pooled body features of a split's photos; NaN where one is gone.

    They are kept in the folder's cache; `progress` is called with (done, all) of what has to be computed.
    """
    preprocess, device, state = read_preprocess(learn), learn.dls.device, learn.model.training
    net = ExportNet(learn)
    cache, photos = FeatureCache(data.private, compute_features_id(net, preprocess)), data.part(split)
    network = net.to(device).eval()

    def run(batch: Array) -> Array:
        # the answers on a visitor's CPU are made without rounding to 19 bits
        with torch.no_grad(), torch.backends.cudnn.flags(allow_tf32=False):
            return np.asarray(network(torch.from_numpy(batch).to(device))[0].cpu().numpy())

    fill_cache(cache, photos, preprocess, run, progress)
    learn.model.to(device).train(state)
    return cache.stack([photo.sha256 for photo in photos])[0]


def start_from_head(
    learn: Learner, data: Dataset, *, features: Array | None = None, seed: int = 0
) -> LinearHead:
    """Fit the head that mode head would, and put it into a Learner, so that training begins from there.

    Parameters
    ----------
    learn
        From `build_learner`, with pretrained weights.
    data
        The photos that it trains on.
    features
        (N, D) features of the training photos; by default they are computed.
    seed
        Of the folds.
    """
    features = compute_features(learn, data, TRAIN) if features is None else features
    rows = [row for row in data.rows if row.split == TRAIN]
    there = np.asarray(np.isfinite(features).all(1))
    groups = [row.group for row, seen in zip(rows, there, strict=True) if seen]
    head = fit_head_by_cross_validation(features[there], data.targets(TRAIN)[there], groups, seed=seed)
    set_head(learn, head.weight, head.bias, features[there])
    return head


def even_out_head(learn: Learner, targets: Array, balance: str) -> bool:
    """Even out the answers of a trained Learner for rare classes, as `find_shift` says; tell whether it was.

    The `targets` are of the (N,) photos that it was trained on.
    """
    shift = find_shift(targets, balance)
    if shift is None:
        return False
    linear = _find_linear(learn)
    with torch.no_grad():
        added = torch.from_numpy(shift).to(linear.weight)
        bias = added if linear.bias is None else linear.bias + added
        linear.bias = nn.Parameter(bias)
    learn.opt = None  # it holds the old bias
    return True


def set_head(learn: Learner, weight: Array, bias: Array, features: Array) -> None:
    """Make the Learner's head answer ``features @ weight.T + bias``, with (K, D) weights.

    The head's batch norm gets the statistics of the (N, D) features of training photos, so that training may
    go on from here.
    """
    linear = _find_linear(learn)
    norm = next((m for m in learn.model[1].modules() if isinstance(m, nn.BatchNorm1d)), None)
    w, b = weight.astype(np.float64), bias.astype(np.float64)
    device = linear.weight.device
    with torch.no_grad():
        if norm is not None:
            mean, variance = features.mean(0, dtype=np.float64), features.var(0, dtype=np.float64)
            norm.running_mean.copy_(torch.from_numpy(mean))
            norm.running_var.copy_(torch.from_numpy(variance))
            norm.weight.fill_(1)
            norm.bias.zero_()
            # as the layer will see them: rounded to its own precision
            mean = norm.running_mean.double().cpu().numpy()
            deviation = torch.sqrt(norm.running_var.double() + norm.eps).cpu().numpy()
            w, b = w * deviation, b + w @ mean
        if linear.bias is None:
            # fastai leaves it out after a batch norm; an optimizer that does not know it is of no use
            linear.bias = nn.Parameter(torch.zeros(len(b), device=device))
            learn.opt = None
        linear.weight.copy_(torch.from_numpy(w))
        linear.bias.copy_(torch.from_numpy(b))


def _find_linear(learn: Learner) -> nn.Linear:
    return next(m for m in reversed(list(learn.model[1].modules())) if isinstance(m, nn.Linear))
