"""Train the head alone: features once, then a linear layer in seconds, put into the Learner."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from fastai.vision.all import Learner
from torch import nn

from ...errors import PhotosError
from ...metrics import compute_log_loss, compute_softmax
from ...model import FeatureCache, Preprocess, fill_cache, open_session
from ...photos import TRAIN, VALID, Progress
from ...refit import LinearHead, fit_head, fit_head_by_cross_validation
from ..data import TrainingData
from ..export import ExportNet, compute_features_id, write_graph
from ..network import read_preprocess

Array = npt.NDArray[Any]
Run = Callable[[Array], Array]


def train_head(
    learn: Learner,
    data: TrainingData,
    *,
    seed: int = 0,
    own_features: bool = False,
    progress: Progress | None = None,
) -> tuple[LinearHead, list[dict[str, Any]]]:
    """Fit the linear head on features that are computed once, and put it into the Learner.

    The regularisation is chosen by cross-validation among the training photos; validation photos have no
    part in it. Features are cached by content, network and transform, so that a second call takes seconds.

    Parameters
    ----------
    learn
        From `build_learner`, with a body that has learned elsewhere.
    data
        The photos.
    seed
        Of the folds.
    own_features
        Whether the body learned from these very photos; then they cannot tell the regularisation.
    progress
        Called with (done, all) while features are computed.

    Returns
    -------
    tuple
        The fitted head, and one row like an epoch's: losses and accuracy.
    """
    features = compute_features(learn, data, (TRAIN, VALID), progress)
    there = np.isfinite(features[TRAIN]).all(1) & bool(features[TRAIN].size)
    groups = data.part(TRAIN)["group"].to_numpy()[there]
    x, y = features[TRAIN][there], data.targets(TRAIN)[there]
    lost = [name for k, name in enumerate(data.vocab) if k not in y]
    if lost:
        raise PhotosError(
            "No training photo of {classes} can be read any more. Train again.", classes=", ".join(lost)
        )
    head = fit_head(x, y) if own_features else fit_head_by_cross_validation(x, y, groups, seed=seed)
    set_head(learn, head.weight, head.bias, x)
    train_loss, _ = _judge(head, features[TRAIN], data.targets(TRAIN))
    valid_loss, accuracy = _judge(head, features[VALID], data.targets(VALID))
    losses = {"train_loss": train_loss, "valid_loss": valid_loss}
    return head, [{"epoch": 1, "phase": "head", **losses, "accuracy": accuracy}]


def _judge(head: LinearHead, features: Array, targets: Array) -> tuple[float, float]:
    """Return loss and accuracy on the photos that have features."""
    seen = np.isfinite(features).all(1)
    logits = head.compute_logits(features[seen])
    loss = compute_log_loss(compute_softmax(logits), targets[seen])
    return loss, float((logits.argmax(1) == targets[seen]).mean())


def compute_features(
    learn: Learner, data: TrainingData, splits: Sequence[str], progress: Progress | None = None
) -> dict[str, Array]:
    """Return {split: (N, D)} pooled body features in the order of `data.part`; NaN where a photo is gone.

    They are kept in the folder's cache; `progress` is called with (done, all) of what has to be computed.
    """
    preprocess = read_preprocess(learn)
    net = ExportNet(learn)
    cache = FeatureCache(data.private, compute_features_id(net, preprocess))
    photos = {split: data.find_photos(split) for split in splits}
    every = [photo for part in photos.values() for photo in part]
    if {p.sha256 for p in every} - cache.load().keys():
        with _open_network(learn, net, preprocess) as run:
            fill_cache(cache, every, preprocess, run, progress)
    return {split: cache.stack([p.sha256 for p in part])[0] for split, part in photos.items()}


def set_head(learn: Learner, weight: Array, bias: Array, features: Array) -> None:
    """Make the Learner's head answer ``features @ weight.T + bias``, with (K, D) weights.

    The head's batch norm gets the statistics of the (N, D) features of training photos, so that training may
    go on from here.
    """
    linear = next(m for m in reversed(list(learn.model[1].modules())) if isinstance(m, nn.Linear))
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


@contextlib.contextmanager
def _open_network(learn: Learner, net: ExportNet, preprocess: Preprocess) -> Iterator[Run]:
    """Yield what computes (N, D) features: PyTorch on a GPU, ONNX Runtime on a CPU."""
    device = learn.dls.device
    try:
        if device.type != "cpu":
            yield _on_device(net, device)
            return
        with tempfile.TemporaryDirectory(prefix="fastclf-features-") as folder:
            path = Path(folder, "body.onnx")
            write_graph(net, preprocess, path)
            session = open_session(path)
            yield lambda batch: session.run(["features"], {"image": batch})[0]
    finally:
        learn.model.to(device)


def _on_device(net: ExportNet, device: Any) -> Run:
    network = net.to(device).eval()

    def run(batch: Array) -> Array:
        # the answers on a visitor's CPU are made without rounding to 19 bits
        with torch.no_grad(), torch.backends.cudnn.flags(allow_tf32=False):
            return np.asarray(network(torch.from_numpy(batch).to(device))[0].cpu().numpy())

    return run
