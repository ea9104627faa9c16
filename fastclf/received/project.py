"""A project that somebody taught in a browser: classes, photos, the fitted head, what it answered there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ProjectError
from ..photos import TRAIN, VALID
from ..system import unify_name
from .values import Values, is_text, parse_json

Array = npt.NDArray[Any]

PROJECT_FILE = "project.json"
MOST_PHOTOS = 20_000
PRECISIONS = {"int8": 0.05, "float32": 1e-3}
"""How far a page's probabilities may be from those here, by the precision of the page's weights.

Both compute with the same weights; another browser's decoder may differ by a level."""

_VERSION = 1
_MOST_CLASSES, _LONGEST_CLASS, _MOST_FEATURES, _MOST_PARITY = 1000, 60, 16_384, 8
_FILE = re.compile(r"photos/(0|[1-9]\d{0,2})/(\d{1,8})\.(jpg|png|webp)")
_SHA256 = re.compile("[0-9a-f]{64}")
_SUM = 1e-3  # by which probabilities may miss one


@dataclass(frozen=True, kw_only=True)
class ProjectPhoto:
    """A photo of a project.

    Attributes
    ----------
    file
        Its name in the zip file.
    name
        What its maker's file was called, or "".
    label
        The number of its class.
    group
        Photos of a group, frames of one burst for example, are in one split.
    split
        "train" or "valid".
    sha256
        Of its bytes.
    """

    file: str
    name: str
    label: int
    group: str
    split: str
    sha256: str

    @property
    def given_group(self) -> str:
        """The group as the catalog calls one that somebody names."""
        return f"given:{self.group}"


@dataclass(frozen=True, kw_only=True)
class TaughtHead:
    """The head as it was fitted: (K, D) weights and (K,) biases, and how its strength `C` was chosen."""

    weight: Array
    bias: Array
    C: float
    folds: int
    tried: tuple[dict[str, float], ...]


@dataclass(frozen=True, kw_only=True)
class PageAnswer:
    """What the page answered about a photo: (K,) logits and probabilities."""

    file: str
    logits: Array
    probabilities: Array


@dataclass(frozen=True, kw_only=True)
class Project:
    """What `project.json` holds.

    Attributes
    ----------
    fastclf, created, title
        By which version and when it was saved, and what it is called.
    vocab
        (K,) names of the classes, in one spelling and without blanks around them.
    backbone, features_id, precision
        The network whose features the head was fitted on: its name, what its features are called, and with
        which weights the page computed them, one of `PRECISIONS`.
    head
        See there.
    judged
        What the page said of its accuracy: ``photos``, ``right``, ``interval``; None where it said nothing.
    photos
        See there.
    parity
        What the page answered about some of them.
    """

    fastclf: str
    created: str
    title: str
    vocab: tuple[str, ...]
    backbone: str
    features_id: str
    precision: str
    head: TaughtHead
    judged: dict[str, Any] | None
    photos: tuple[ProjectPhoto, ...]
    parity: tuple[PageAnswer, ...]


def parse_project(data: bytes, called: str) -> Project:
    """Read `project.json`, of which nothing is believed that is not looked at.

    Parameters
    ----------
    data
        Its bytes.
    called
        What the zip file is called in an error.

    Raises
    ------
    ProjectError
        If a value is missing, of another kind or size than it has to be, or contradicts another one.
    """
    values = parse_json(data, PROJECT_FILE, called)
    _check_version(values, called)
    vocab = _read_vocab(values)
    backbone = values.inner("backbone")
    photos = _read_photos(values, len(vocab))
    _check_splits(photos, vocab)
    return Project(
        fastclf=values.text("fastclf", 40),
        created=values.text("created", 40),
        title=values.text("title", 200).strip(),
        vocab=vocab,
        backbone=backbone.text("name", 100, least=1),
        features_id=backbone.text("features_id", 100, least=1),
        precision=backbone.choice("precision", [*PRECISIONS]),
        head=_read_head(values.inner("head"), len(vocab)),
        judged=None if values.get("judged") is None else _read_judged(values.inner("judged")),
        photos=photos,
        parity=_read_parity(values, {photo.file for photo in photos}, len(vocab)),
    )


def _check_version(values: Values, called: str) -> None:
    version = values.whole("fastclf_project", 1, 10**6)
    if version != _VERSION:
        raise ProjectError(
            "{called} is a project of version {version:d}; this fastclf reads version {own:d}. Update "
            "fastclf.",
            called=called,
            version=version,
            own=_VERSION,
        )


def _read_vocab(values: Values) -> tuple[str, ...]:
    found = values.items("vocab", 2, _MOST_CLASSES)
    for name in found:
        if not is_text(name, 1, _LONGEST_CLASS) or not name.strip():
            values.refuse("a class in vocab", name, f"a name of 1 to {_LONGEST_CLASS} characters")
    vocab = tuple(unify_name(name).strip() for name in found)
    for number, name in enumerate(vocab):
        if name in vocab[:number]:
            values.refuse("a class in vocab", name, "there once")
    return vocab


def _read_head(values: Values, classes: int) -> TaughtHead:
    shape = values.items("shape", 2, 2)
    usual = [isinstance(n, int) and not isinstance(n, bool) for n in shape]
    if not all(usual) or shape[0] != classes or not 1 <= shape[1] <= _MOST_FEATURES:
        values.refuse("head.shape", shape, f"[{classes}, the number of features]")
    rows = values.objects("tried", 0, 100)
    return TaughtHead(
        weight=values.floats("weight", (classes, shape[1])),
        bias=values.floats("bias", (classes,)),
        C=values.real("strength", 1e-9, 1e9),
        folds=values.whole("folds", 0, 1000),
        tried=tuple(
            {
                "C": row.real("C", 1e-9, 1e9),
                "loss": row.real("loss", 0, 1e6),
                "accuracy": row.real("accuracy", 0, 1),
            }
            for row in rows
        ),
    )


def _read_judged(values: Values) -> dict[str, Any]:
    photos = values.whole("photos", 1, MOST_PHOTOS)
    low, high = values.numbers("interval", 2)
    if not 0 <= low <= high <= 1:
        values.refuse("judged.interval", [low, high], "two shares, the lower one first")
    right = values.whole("right", 0, photos)
    return {"photos": photos, "right": right, "interval": [low, high], "by": values.text("by", 60)}


def _read_photos(values: Values, classes: int) -> tuple[ProjectPhoto, ...]:
    photos = tuple(_read_photo(row, classes) for row in values.objects("photos", 2, MOST_PHOTOS))
    seen = set[str]()
    for photo in photos:
        if photo.file in seen:
            values.refuse("a file in photos", photo.file, "there once")
        seen.add(photo.file)
    return photos


def _read_photo(row: Values, classes: int) -> ProjectPhoto:
    label, file = row.whole("label", 0, classes - 1), row.text("file", 60)
    named = _FILE.fullmatch(file)
    if named is None or int(named[1]) != label or not named[2].isascii():
        row.refuse("the file of a photo", file, f"photos/{label}/NUMBER.jpg, .png or .webp")
    sha256 = row.text("sha256", 64)
    if not _SHA256.fullmatch(sha256):
        row.refuse("the sha256 of a photo", sha256, "64 hexadecimal digits")
    return ProjectPhoto(
        file=file,
        name=row.text("name", 300),
        label=label,
        group=row.text("group", 300, least=1),
        split=row.choice("split", [TRAIN, VALID]),
        sha256=sha256,
    )


def _check_splits(photos: Sequence[ProjectPhoto], vocab: Sequence[str]) -> None:
    """Refuse a group that stands in two splits, and a class that nothing was learned of."""
    split_of: dict[str, str] = {}
    for photo in photos:
        if split_of.setdefault(photo.group, photo.split) != photo.split:
            raise ProjectError(
                "{file}: the group {group} stands in train and in valid, so what it is judged on was "
                "learned. Save the project again.",
                file=PROJECT_FILE,
                group=photo.group[:60],
            )
    learned = {photo.label for photo in photos if photo.split == TRAIN}
    if lacking := [name for number, name in enumerate(vocab) if number not in learned]:
        raise ProjectError(
            "{file}: nothing was learned of {classes}: no photo of it is in train. Save the project again.",
            file=PROJECT_FILE,
            classes=", ".join(lacking[:5]),
        )


def _read_parity(values: Values, files: set[str], classes: int) -> tuple[PageAnswer, ...]:
    found = []
    for row in values.objects("parity", 1, _MOST_PARITY):
        file, probabilities = row.text("file", 60), row.numbers("probabilities", classes)
        if file not in files:
            row.refuse("a file in parity", file, "one of the photos")
        if probabilities.min() < 0 or abs(probabilities.sum() - 1) > _SUM:
            row.refuse("probabilities in parity", probabilities.tolist(), "shares whose sum is 1")
        logits = row.numbers("logits", classes)
        found.append(PageAnswer(file=file, logits=logits, probabilities=np.asarray(probabilities)))
    return tuple(found)
