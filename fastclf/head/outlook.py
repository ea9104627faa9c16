"""What a fitted head says of photos to come: of classes that it did not learn, and of more photos."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy.typing as npt

from ..evaluation import Answers
from ..model import Manifest
from .balance import OFF, even_out
from .learning_curve import measure_learning_curve
from .left_out import measure_left_out
from .linear import LinearHead


def add_outlook(manifest: Manifest, train: Answers, valid: Answers, head: LinearHead) -> Manifest:
    """Return the manifest with the learning curve, and how classes are told that are left out of training.

    Both need a body that learned none of these photos; else the manifest stays as it is.

    Parameters
    ----------
    manifest
        Of a model whose answers have been judged.
    train, valid
        What the head learned from and is judged on.
    head
        As it answers.
    """
    training, ood = manifest.training, manifest.ood
    if training.head is None or training.head.own_features:
        return manifest

    def adjust(one: LinearHead, targets: npt.NDArray[Any]) -> LinearHead:
        return even_out(one, targets, training.balance or OFF)

    learned, judged = ((part.features, part.targets) for part in (train, valid))
    curve = measure_learning_curve(learned, judged, head, manifest.vocab, adjust)
    return replace(
        manifest,
        ood=ood and replace(ood, left_out=measure_left_out(train, valid, head.C)),
        training=replace(training, learning_curve=curve.to_dict() if curve else None),
    )
