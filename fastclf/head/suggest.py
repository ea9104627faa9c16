"""Photos without a label, ranked by what their labels would teach: `fastclf suggest`, and the Clean tab."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..backbone import Backbone, open_packaged
from ..catalog import Catalog, Unlabelled, leave_out, list_unlabelled
from ..errors import Message, PhotosError, UsageError
from ..metrics import choose_next, compute_doubt, compute_softmax
from ..model import ModelBundle
from ..photos import TEST, Photo, Progress
from ..system import ShortRepr

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
        How many others have a label already, or were dismissed: the same bytes lie in a class folder.
    failures
        (file, reason) of what cannot be read.
    rest
        The other ones, the most doubtful first.
    """

    photos: list[Suggestion]
    new: int
    labelled: int
    known: int
    failures: list[tuple[str, str]]
    rest: list[Suggestion]


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

    Returns
    -------
    Suggestions
        The photos to label, the most doubtful first.

    Raises
    ------
    PhotosError
        If there is no photo to choose, or no two classes to tell apart.
    UsageError
        If `n` is none.

    Examples
    --------
    >>> suggestions = suggest_photos("photos/bears", "photos/new", n=2)
    >>> len(suggestions.photos), suggestions.new, suggestions.photos[0].guess in ("black", "grizzly", "teddy")
    (2, 6, True)
    """
    if n < 1:
        raise UsageError("--n is {n}; it is 1 or more.", n=n)
    body = open_packaged() if bundle is None else Backbone.of_model(bundle)
    with Catalog.of_photos(folder) as catalog:
        catalog.scan(progress)
        return rank_unlabelled(
            catalog, Path(new), list_unlabelled(catalog, Path(new)), n, body=body, progress=progress
        )


def rank_unlabelled(
    catalog: Catalog,
    folder: Path,
    waiting: Unlabelled,
    n: int,
    *,
    body: Backbone,
    aside: Collection[str] = (),
    progress: Progress | None = None,
) -> Suggestions:
    """Rank the photos of a folder that wait for a label, with a head that is fitted on today's labels.

    Parameters
    ----------
    catalog
        Of the labelled photos, as of the last scan.
    folder
        Where the photos that wait lie: what is in it has no label, whatever the catalog says.
    waiting
        The photos to rank.
    n
        How many to choose.
    body
        What makes the features.
    aside
        sha256 of photos that are not to be chosen; they are among the rest.
    progress
        Called with (done, all) while photos are read.

    Raises
    ------
    PhotosError
        If there is no photo to choose, or no two classes to tell apart.
    """
    labelled = [p for p in leave_out(catalog.photos().photos, folder) if p.split != TEST]
    _check(labelled, waiting, catalog.folder, folder)
    cache = catalog.feature_cache(body.features_id)
    features = body.extract(cache, [*labelled, *waiting.photos], progress)
    return _choose(labelled, waiting, features, n, aside)


def _check(labelled: Sequence[Photo], waiting: Unlabelled, folder: Path, new: Path) -> None:
    if not waiting.photos:
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
    labelled: Sequence[Photo], waiting: Unlabelled, features: Array, n: int, aside: Collection[str]
) -> Suggestions:
    from .linear import fit_head  # SciPy

    parts = zip((labelled, waiting.photos), np.split(features, [len(labelled)]), strict=True)
    (known, learned), (readable, x) = (_keep_read(photos, rows) for photos, rows in parts)
    vocab = sorted({photo.label for photo in known})
    head = fit_head(learned, np.array([vocab.index(photo.label) for photo in known]), _STRENGTH)
    probs = compute_softmax(head.compute_logits(x)) if len(x) else np.zeros((0, len(vocab)))
    able = np.array([i for i, photo in enumerate(readable) if photo.sha256 not in aside], int)
    chosen = able[choose_next(x[able], probs[able], n, labelled=learned)] if len(able) else able
    taken = set(chosen.tolist())
    rest = [i for i in np.argsort(-compute_doubt(probs), kind="stable").tolist() if i not in taken]
    names = {photo.name for photo in readable}
    failures = [(p.name, Message("cannot be read")) for p in waiting.photos if p.name not in names]
    return Suggestions(
        [_describe(readable[i], probs[i], vocab) for i in chosen],
        new=len(readable),
        labelled=len(known),
        known=waiting.known,
        failures=[*waiting.failures, *failures],
        rest=[_describe(readable[i], probs[i], vocab) for i in rest],
    )


def _keep_read(photos: Sequence[Photo], features: Array) -> tuple[list[Photo], Array]:
    """Return the photos that have features, and these."""
    there = np.asarray(np.isfinite(features).all(1))
    return [photo for photo, read in zip(photos, there, strict=True) if read], features[there]


def _describe(photo: Photo, probs: Array, vocab: Sequence[str]) -> Suggestion:
    first, second = np.argsort(-probs, kind="stable")[:2]
    return Suggestion(photo.name, vocab[first], float(probs[first]), vocab[second], float(probs[second]))
