"""Train a head: features of a frozen body once, then a linear layer in seconds; no torch is needed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from ..backbone import Backbone
from ..catalog import Dataset
from ..errors import PhotosError
from ..metrics import compute_log_loss, compute_softmax
from ..model import FeatureCache, Licences, Manifest, ModelBundle, SealedTest, TrainingRecord
from ..photos import TEST, TRAIN, VALID, Progress
from .balance import AUTO, describe_balance, even_out, find_shift
from .linear import LinearHead, fit_head, fit_head_by_cross_validation
from .model import NO_LEARNER, SeenPhotos, write_model

Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class HeadOptions:
    """What is said of a model whose head is trained, beside what follows from the photos.

    Attributes
    ----------
    title, intro, colour, translations, recipe
        As in the manifest.
    photo_licence
        The licence of the photos that have none on record.
    seed
        Of the folds.
    balance
        Whether rare classes are evened out, one of `BALANCES`.
    own_features
        Whether the body learned from these very photos; then they cannot tell the regularisation.
    record
        More of the training, for the record.
    more
        {name: file} of what else belongs into the model's folder.
    """

    title: str = ""
    intro: str = ""
    colour: str = ""
    translations: Mapping[str, Any] = field(default_factory=dict)
    recipe: str | None = None
    photo_licence: str = "not recorded"
    seed: int = 0
    balance: str = AUTO
    own_features: bool = False
    record: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Path] = field(default_factory=dict)


def train_head(
    data: Dataset,
    body: Backbone,
    out: str | Path,
    options: HeadOptions | None = None,
    *,
    started: float | None = None,
    say: Callable[[str], None] = lambda _: None,
    progress: Progress | None = None,
) -> ModelBundle:
    """Fit a linear head on features that are computed once, and write the model.

    The regularisation is chosen by cross-validation among the training photos; validation photos have no
    part in it, and test photos are not looked at. Features are cached by content, network and transform, so
    that a second call takes seconds.

    Parameters
    ----------
    data
        The photos, from `load_dataset`.
    body
        What gives the features.
    out
        Folder of the model; an earlier one there is replaced in one step.
    options
        What is said of the model.
    started
        `time.monotonic()` from which the recorded seconds count; by default the call.
    say
        Called with each sentence about what is done.
    progress
        Called with (done, all) while features are computed.

    Raises
    ------
    PhotosError
        If no training photo of a class can be read any more.
    RefitError
        If the written graph answers otherwise than the head does.
    """
    started = time.monotonic() if started is None else started
    options = options or HeadOptions()
    vocab = list(data.vocab)
    say("Computing features, then fitting the head ...")
    train, valid = (_read(data, body, split, progress) for split in (TRAIN, VALID))
    head = _fit(train, vocab, options)
    tried = f", the best of {len(head.table)} in {head.folds} folds" if head.table else ""
    say(f"Fitted the head with C = {head.C:g}{tried}.")
    targets = train.find_targets(vocab)
    head = even_out(head, targets, options.balance)
    if find_shift(targets, options.balance) is not None:
        say(describe_balance(targets, vocab))
    record = {
        "mode": "head", "pretrained": True, "balance": options.balance,
        "head": head.describe(own_features=options.own_features),
        "size": body.preprocess.input_size[-1], "seed": options.seed,
        "epochs": [_measure(head, train, valid, vocab)], "best_epoch": 1, "device": "cpu",
        "versions": {"onnxruntime": onnxruntime.__version__}, **options.record,
        "seconds": round(time.monotonic() - started, 1),
    }  # fmt: skip
    manifest = _describe(data, body, vocab, options, record)
    write_model(Path(out), manifest, body.graph, head, train, valid, data.list_rows(), options.more)
    return ModelBundle.load(out)


def _read(data: Dataset, body: Backbone, split: str, progress: Progress | None) -> SeenPhotos:
    rows = [row for row in data.rows if row.split == split]
    photos = [row.photo for row in rows]
    features = body.extract(FeatureCache(data.private, body.features_id), photos, progress)
    return SeenPhotos.keep_read(photos, features, [row.group for row in rows])


def _fit(train: SeenPhotos, vocab: list[str], options: HeadOptions) -> LinearHead:
    targets = train.find_targets(vocab)
    lost = [name for k, name in enumerate(vocab) if k not in targets]
    if lost:
        raise PhotosError(
            "No training photo of {classes} can be read any more. Train again.", classes=", ".join(lost)
        )
    if options.own_features:
        return fit_head(train.features, targets)
    return fit_head_by_cross_validation(train.features, targets, train.groups, seed=options.seed)


def _measure(head: LinearHead, train: SeenPhotos, valid: SeenPhotos, vocab: list[str]) -> dict[str, Any]:
    """Return one row like an epoch's: losses and accuracy."""
    row: dict[str, Any] = {"epoch": 1, "phase": "head"}
    for name, part in (("train_loss", train), ("valid_loss", valid)):
        answers = part.answer(head, vocab)
        row[name] = round(compute_log_loss(compute_softmax(answers.logits), answers.targets), 6)
        row["accuracy"] = float((np.argmax(answers.logits, 1) == answers.targets).mean())
    return row


def _describe(
    data: Dataset, body: Backbone, vocab: list[str], options: HeadOptions, record: dict[str, Any]
) -> Manifest:
    return Manifest(
        title=options.title,
        intro=options.intro,
        colour=options.colour,
        translations=dict(options.translations),
        recipe=options.recipe,
        arch=body.arch,
        vocab=vocab,
        features_id=body.features_id,
        preprocess=body.preprocess,
        sealed_test=SealedTest(n=len(data.part(TEST)), openings=list(data.openings)),
        split=dict(data.split),
        training=TrainingRecord.from_dict(record),
        licences=Licences(weights=body.licence, photos=data.describe_licences(options.photo_licence)),
        export_pkl=NO_LEARNER,
    )
