"""What `train` decides and records, for whoever trains step by step in a notebook."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from fastai.vision.all import Learner

from ..catalog import Dataset
from ..head import LinearHead
from ..model import choose_arch
from ..photos import TRAIN
from .data import build_dls
from .fitting import BATCH, Fitted, even_out_head, fit, plan_phases, scale_lr, start_from_head
from .network import build_learner, find_fixed_size
from .options import DEFAULT_RESIZE, HEAD, RANDOM_CROP, TrainOptions, check_weights_file
from .plan import make_plan
from .run import choose_mode
from .tuning import compute_start


def settle_options(options: TrainOptions, data: Dataset, say: Callable[[str], None] = print) -> TrainOptions:
    """Return the options with what they leave open decided as `train` does, and say why.

    A head is trained on photos that are not varied, so its augmentation is "none".

    Parameters
    ----------
    options
        How to train; `from_model` and `time_limit` are for `train` alone.
    data
        The photos, from `load_dataset`.
    say
        Called with each sentence about what was chosen.

    Returns
    -------
    TrainOptions
        In which arch, mode, size, resize, augment, epochs, batch_size and lr are no longer None.

    Examples
    --------
    >>> from fastclf.catalog import load_dataset
    >>> from fastclf.training import TrainOptions
    >>> data = load_dataset("photos/bears")
    >>> options = settle_options(TrainOptions(mode="head"), data, say=lambda words: None)
    >>> options.arch, options.size
    ('tf_efficientnet_lite0', 224)
    """
    if options.weights is not None:
        check_weights_file(Path(options.weights))
    arch = options.arch or choose_arch(options.pretrained)[0]
    mode = choose_mode(options, data, learned=options.pretrained, say=say)
    resize, augment, size = options.resize or DEFAULT_RESIZE, options.augment or "symmetric", options.size
    if mode == HEAD:
        # as there: the photos as they are, at the size that the network learned at
        size = size or find_fixed_size(arch) or 224
        resize, augment = "squish" if resize == RANDOM_CROP else resize, "none"
    plan = make_plan(data, options, arch, size, time.monotonic(), say)
    lr = (
        options.lr if isinstance(options.lr, float) else scale_lr(plan.batch_size, learned=options.pretrained)
    )
    return replace(options, mode=mode, resize=resize, augment=augment, lr=lr, **asdict(plan))


def begin_training(data: Dataset, options: TrainOptions) -> tuple[Learner, LinearHead | None]:
    """Build the Learner that a training begins with; a pretrained body gets the head that mode head fits.

    Parameters
    ----------
    data
        The photos, from `load_dataset`.
    options
        From `settle_options`.

    Returns
    -------
    Learner, LinearHead or None
        None where the body has new weights: it has to learn first.

    Examples
    --------
    >>> from fastclf.catalog import load_dataset
    >>> from fastclf.training import TrainOptions, begin_training, settle_options
    >>> data = load_dataset("photos/bears")
    >>> options = settle_options(TrainOptions(mode="head", size=32), data, say=lambda words: None)

    >>> learn, head = begin_training(data, options)
    >>> head.weight.shape[0], list(learn.dls.vocab)
    (3, ['black', 'grizzly', 'teddy'])
    """
    arch, size, resize = str(options.arch), int(options.size or 224), str(options.resize)
    dls = build_dls(
        data, size, resize=resize, augment=str(options.augment), pretrained=options.pretrained,
        batch_size=int(options.batch_size or BATCH), seed=options.seed, workers=options.workers,
    )  # fmt: skip
    learn = build_learner(
        dls, arch, pretrained=options.pretrained, weights=options.weights, seed=options.seed
    )
    # where fastai's finder keeps a copy of the weights; by default that makes a folder among the classes
    learn.model_dir = data.private / "models"
    if not options.pretrained:
        return learn, None
    features = compute_start(learn, data, arch, size, resize, options.weights)
    return learn, start_from_head(learn, data, features=features, seed=options.seed)


def fit_layers(learn: Learner, data: Dataset, options: TrainOptions) -> Fitted:
    """Train all layers where the mode says so, keep the best epoch's weights, and even out rare classes.

    Parameters
    ----------
    learn
        From `begin_training`.
    data
        The photos that it trains on.
    options
        From `settle_options`. In mode head nothing is left to do.

    Returns
    -------
    Fitted
        The epochs that were trained, and which one's weights are kept.

    Examples
    --------
    >>> from fastclf.catalog import load_dataset
    >>> from fastclf.training import TrainOptions, begin_training, fit_layers, settle_options
    >>> data = load_dataset("photos/bears")
    >>> options = settle_options(TrainOptions(mode="head", size=32), data, say=lambda words: None)

    >>> learn, head = begin_training(data, options)
    >>> fit_layers(learn, data, options).epochs
    []
    """
    fitted = _fit_all(learn, options) if options.mode != HEAD else Fitted()
    even_out_head(learn, data.targets(TRAIN), options.balance)
    return fitted


def _fit_all(learn: Learner, options: TrainOptions) -> Fitted:
    lr, learned = float(options.lr or 0) or None, options.pretrained
    phases = plan_phases(options.epochs or 1, pretrained=learned, lr=lr, head_epochs=0)
    return fit(learn, phases, seed=options.seed, start_counts=learned, freeze_norm=learned)


def record_training(options: TrainOptions, fitted: Fitted, head: LinearHead | None) -> dict[str, Any]:
    """Return the record of a training for `export_bundle`.

    Parameters
    ----------
    options
        From `settle_options`.
    fitted
        From `fit_layers`.
    head
        From `begin_training`.

    Returns
    -------
    dict
        JSON values, `training` of `export_bundle`.

    Examples
    --------
    >>> from fastclf.catalog import load_dataset
    >>> from fastclf.training import TrainOptions, begin_training, fit_layers
    >>> from fastclf.training import record_training, settle_options
    >>> data = load_dataset("photos/bears")
    >>> options = settle_options(TrainOptions(mode="head", size=32), data, say=lambda words: None)

    >>> learn, head = begin_training(data, options)
    >>> record = record_training(options, fit_layers(learn, data, options), head)
    >>> record["mode"], record["size"]
    ('head', 32)
    """
    record = {
        "mode": options.mode, "size": options.size, "resize": options.resize, "augment": options.augment,
        "balance": options.balance, "seed": options.seed, "pretrained": options.pretrained,
        "weights": options.describe_weights(),
    }  # fmt: skip
    if options.mode == HEAD and head is not None:
        return {**record, "head": head.describe()}
    return {
        **record, "batch_size": options.batch_size, "lr": options.lr, "epochs": fitted.epochs,
        "best_epoch": fitted.best_epoch,
    }  # fmt: skip
