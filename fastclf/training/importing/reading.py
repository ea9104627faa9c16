"""What a Learner answers and by what it is called; or why fastclf cannot do the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from fastai.vision.all import Categorize, Learner, MultiCategorize, PILBase, PILImageBW, RegressionSetup
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from ...errors import LearnerError, UsageError
from ..network import name_step

_ALLOWED = "fastclf tells apart photos of which each is of one class (ImageBlock and CategoryBlock)"


def read_vocab(learn: Learner) -> list[str]:
    """Return the class names, in the order of the answers, of a Learner that tells photos apart."""
    photos, targets = _read_lists(learn)
    _check_input(learn, photos)
    found = _find_target(targets)
    if found:
        raise LearnerError("This Learner predicts {found}; {allowed}.", found=found, allowed=_ALLOWED)
    (categorize,) = [step for step in targets.tfms.fs if isinstance(step, Categorize)]
    vocab = [str(name) for name in categorize.vocab]
    if len(vocab) < 2 or len(set(vocab)) < len(vocab):
        raise LearnerError(
            "This Learner has the classes {vocab}; two or more are needed, each once.", vocab=vocab
        )
    return vocab


def read_activation(learn: Learner) -> Any:
    """Return what fastai's own `get_preds` has to be told so that it gives the softmax; None for nothing."""
    loss = learn.loss_func
    activation = getattr(loss, "activation", None)
    logits = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    if activation is None and (isinstance(loss, nn.CrossEntropyLoss) or loss is F.cross_entropy):
        return torch.nn.Softmax(dim=-1)
    if activation is None or not torch.allclose(activation(logits), logits.softmax(-1), atol=1e-6):
        raise LearnerError(
            "This Learner was trained with {loss}, whose answers are not one softmax over the "
            "classes; CrossEntropyLossFlat, LabelSmoothingCrossEntropy and FocalLossFlat are allowed.",
            loss=name_step(loss),
        )
    return None


def read_arch(learn: Learner) -> str:
    """Return the architecture's name as well as it is known."""
    arch = getattr(learn, "arch", None)
    if isinstance(arch, str):
        return arch
    if arch is not None and hasattr(arch, "__name__"):
        return str(arch.__name__)
    body = learn.model[0] if isinstance(learn.model, nn.Sequential) and len(learn.model) else learn.model
    name = type(getattr(body, "model", body)).__name__
    return "unknown" if name == "Sequential" else name


def name_classes(vocab: Sequence[str], class_names: Sequence[str] | None) -> list[str]:
    """Return the classes' names: the Learner's, or as many others in the same order."""
    if class_names is None:
        return list(vocab)
    names = [name.strip() for name in class_names]
    if len(names) != len(vocab) or len(set(names)) < len(names) or not all(names):
        raise UsageError(
            "The class names are {names}; {n} different ones are needed, in "
            "the order of the Learner's: {vocab}.",
            names=", ".join(names) or "none",
            n=len(vocab),
            vocab=", ".join(vocab),
        )
    return names


def _read_lists(learn: Learner) -> tuple[Any, Any]:
    """Return fastai's lists of the photos and of what is predicted, of which there may be one each."""
    lists = getattr(learn.dls, "tls", None)
    if lists is None:
        raise LearnerError(
            "This is a {learner}, which looks at no photos; {allowed}.",
            learner=type(learn).__name__,
            allowed=_ALLOWED,
        )
    inputs = learn.dls.n_inp
    if len(lists) != 2 or inputs != 1:
        raise LearnerError(
            "This Learner has {inputs} inputs and {targets} targets for each item; {allowed}.",
            inputs=inputs,
            targets=len(lists) - inputs,
            allowed=_ALLOWED,
        )
    return lists[0], lists[1]


def _check_input(learn: Learner, photos: Any) -> None:
    kinds = [kind for kind in photos.types if isinstance(kind, type)]
    images = [kind for kind in kinds if issubclass(kind, PILBase)]
    if not images:
        named = ", ".join(dict.fromkeys(kind.__name__ for kind in kinds)) or "nothing"
        raise LearnerError(
            "This {learner} reads {named} and no photos; {allowed}.",
            learner=type(learn).__name__,
            named=named,
            allowed=_ALLOWED,
        )
    if issubclass(images[-1], PILImageBW):
        raise LearnerError(
            "This Learner reads grey photos (PILImageBW); fastclf reads photos in colour, three channels. "
            "Train with ImageBlock()."
        )


def _find_target(targets: Any) -> str:
    """Return in words what is predicted, "" where it is one class a photo."""
    steps = list(targets.tfms.fs)
    if any(isinstance(step, MultiCategorize) or "MultiCategor" in type(step).__name__ for step in steps):
        return "several classes a photo (MultiCategoryBlock)"
    if any(isinstance(step, Categorize) for step in steps):
        return ""
    if any(isinstance(step, RegressionSetup) for step in steps):
        return "numbers (RegressionBlock)"
    kinds = {kind.__name__ for kind in targets.types if isinstance(kind, type)}
    if any("Mask" in kind for kind in kinds):
        return "a class a pixel (MaskBlock, segmentation)"
    if any("Point" in kind or "BBox" in kind for kind in kinds):
        return "places in the photo (PointBlock, BBoxBlock)"
    return f"no classes ({', '.join(name_step(step) for step in steps) or 'nothing'})"
