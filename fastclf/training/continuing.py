"""Train an earlier model further: its body and head in a Learner."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from fastai.vision.all import DataLoaders, Learner
from safetensors import SafetensorError
from safetensors.torch import load_file

from ..catalog import Dataset
from ..errors import UsageError, describe_error
from ..model import BODY, ModelBundle
from ..photos import TRAIN
from .earlier import EarlierModel
from .fitting import compute_features, set_head
from .network import add_normalisation, build_learner, load_packaged


def build_continued(
    dls: DataLoaders,
    data: Dataset,
    earlier: EarlierModel,
    *,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[Learner, bool]:
    """Build a Learner that answers like the earlier model, for today's classes.

    A class that the model knows keeps its row of the head, a class that is gone loses it, and a new one
    begins at zero. Also returned is whether every class of today was known, so that the head needs no
    training of its own. The `dls` are of ``pretrained=True``, so that they do not normalise.
    """
    learn = build_learner(dls, earlier.arch, pretrained=False, seed=seed)
    _load_body(learn, earlier.bundle)
    old, new = earlier.bundle.vocab, list(dls.vocab)
    came, went = [c for c in new if c not in old], [c for c in old if c not in new]
    if came:
        say(f"New classes: {', '.join(came)}.")
    if went:
        say(f"Classes that are gone: {', '.join(went)}.")
    kept = [new.index(name) for name in new if name in old]
    known = [old.index(name) for name in new if name in old]
    head = (earlier.bundle.head[0], earlier.unshifted_bias)
    weight, bias = (np.zeros((len(new), *rows.shape[1:]), np.float32) for rows in head)
    weight[kept], bias[kept] = (rows[known] for rows in head)
    features = compute_features(learn, data, TRAIN)
    set_head(learn, weight, bias, features[np.isfinite(features).all(1)])
    learn.freeze()
    return learn, not came


def _load_body(learn: Learner, bundle: ModelBundle) -> None:
    """Give the Learner a bundle's weights, and its normalisation."""
    if bundle.preprocess.mean is not None and bundle.preprocess.std is not None:
        add_normalisation(learn, bundle.preprocess.mean, bundle.preprocess.std)
    if BODY not in bundle.manifest.files:
        load_packaged(learn.model[0])
        return
    try:
        learn.model[0].load_state_dict(load_file(bundle.require(BODY)))
    except (RuntimeError, SafetensorError) as e:
        raise UsageError(
            "The weights in {file} do not fit {arch} ({reason}). Train without --from.",
            file=bundle.path / BODY,
            arch=bundle.manifest.arch,
            reason=describe_error(e),
        ) from None
