"""Photos without a label, ranked by what their labels would teach: `fastclf suggest`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..backbone import Backbone, open_packaged
from ..catalog import Catalog
from ..errors import PhotosError, UsageError
from ..metrics import choose_next, compute_softmax
from ..model import ModelBundle
from ..photos import TEST, Photo, Progress, list_photo_files
from ..system import ShortRepr, hash_file

Array = npt.NDArray[Any]

_STRENGTH = 0.3  # as in the benchmark; cross-validation of few labels chooses no better


@dataclass(frozen=True)
class Suggestion:
    """A photo to label: what the head that was fitted on today's labels says of it.

    Attributes
    ----------
    file
        Relative to the folder of new photos.
    guess, probability
        The likeliest class.
    other, other_probability
        The second one.
    """

    file: str
    guess: str
    probability: float
    other: str
    other_probability: float


@dataclass(frozen=True, repr=False)
class Suggestions(ShortRepr):
    """Which photos to label next.

    Attributes
    ----------
    photos
        The most doubtful first; no two are alike.
    new
        How many photos there were to choose among.
    labelled
        How many labelled photos the head was fitted on.
    known
        How many others have a label already: the same bytes lie in a class folder.
    failures
        (file, reason) of what cannot be read.
    """

    photos: list[Suggestion]
    new: int
    labelled: int
    known: int
    failures: list[tuple[str, str]]


def suggest_photos(
    folder: str | Path,
    new: str | Path,
    n: int = 40,
    *,
    bundle: ModelBundle | None = None,
    progress: Progress | None = None,
) -> Suggestions:
    """Choose the photos whose labels would teach most; nothing is changed.

    Features of a frozen network are computed once and kept beside the labelled photos. Sealed test photos are
    not looked at.

    Parameters
    ----------
    folder
        Labelled photos, one sub-folder per class.
    new
        Photos without a label, in any folder; it may lie in `folder`.
    n
        How many to choose.
    bundle
        A model whose body makes the features; by default the network whose weights come by pip.
    progress
        Called with (done, all) while photos are read.

    Raises
    ------
    PhotosError
        If there is no photo to choose, or no two classes to tell apart.
    UsageError
        If `n` is none.
    """
    if n < 1:
        raise UsageError("--n is {n}; it is 1 or more.", n=n)
    body = open_packaged() if bundle is None else Backbone.of_model(bundle)
    with Catalog.of_photos(folder) as catalog:
        catalog.scan(progress)
        there = catalog.photos().photos
        hashes = {photo.sha256 for photo in there if not _lies_in(photo.path, Path(new))}
        labelled = [p for p in there if p.split != TEST and not _lies_in(p.path, Path(new))]
        waiting, known = _list_waiting(Path(new), hashes)
        _check(labelled, waiting, Path(folder), Path(new))
        cache = catalog.feature_cache(body.features_id)
        features = body.extract(cache, [*labelled, *waiting], progress)
    return _choose(labelled, waiting, features, n, known)


def _lies_in(path: Path, folder: Path) -> bool:
    return folder.resolve() in path.resolve().parents


def _list_waiting(folder: Path, hashes: set[str]) -> tuple[list[Photo], int]:
    """Return the photos that have no label, each content once, and how many have one."""
    found: dict[str, Photo] = {}
    known = 0
    for file in list_photo_files(folder):
        sha256 = hash_file(file.path)
        known += sha256 in hashes
        if sha256 not in hashes:
            found.setdefault(sha256, Photo(file.path, file.name, "", sha256, "", 0, 0, plain=True))
    return list(found.values()), known


def _check(labelled: Sequence[Photo], waiting: Sequence[Photo], folder: Path, new: Path) -> None:
    if not waiting:
        raise PhotosError("There is no photo without a label in {folder}. Name another folder.", folder=new)
    classes = {photo.label for photo in labelled}
    if len(classes) < 2:
        raise PhotosError(
            "{folder} holds {n} class with labelled photos; two are the least that can be told apart. Label "
            "a few photos of each first.",
            folder=folder,
            n=len(classes),
        )


def _choose(
    labelled: Sequence[Photo], waiting: Sequence[Photo], features: Array, n: int, known: int
) -> Suggestions:
    from .linear import fit_head  # SciPy

    finite = np.asarray(np.isfinite(features).all(1))
    old, fresh = finite[: len(labelled)], finite[len(labelled) :]
    vocab = sorted({p.label for p, there in zip(labelled, old, strict=True) if there})
    targets = np.array([vocab.index(p.label) for p, there in zip(labelled, old, strict=True) if there])
    head = fit_head(features[: len(labelled)][old], targets, _STRENGTH)
    x = features[len(labelled) :][fresh]
    readable = [p for p, there in zip(waiting, fresh, strict=True) if there]
    failures = [(p.name, "cannot be read") for p, there in zip(waiting, fresh, strict=True) if not there]
    rows = choose_next(x, probs := compute_softmax(head.compute_logits(x)), n) if len(x) else ()
    return Suggestions(
        [_describe(readable[i], probs[i], vocab) for i in rows],
        new=len(readable),
        labelled=len(targets),
        known=known,
        failures=failures,
    )


def _describe(photo: Photo, probs: Array, vocab: Sequence[str]) -> Suggestion:
    first, second = np.argsort(-probs, kind="stable")[:2]
    return Suggestion(photo.name, vocab[first], float(probs[first]), vocab[second], float(probs[second]))
