"""Whether new photos are still like those that a model learned from: unfamiliar ones, classes, features."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..catalog import Catalog
from ..errors import PhotosError
from ..issues import draw_folds
from ..metrics import (
    ShareComparison,
    compare_exceedances,
    compare_features,
    compare_shares,
    compare_tails,
    wilson_interval,
)
from ..model import MahalanobisDetector, ModelBundle, Predictor, extract_features
from ..photos import MAX_FOLDER_BYTES, TRAIN, VALID, FoundFile, Progress, list_photo_files
from ..system import ShortRepr

Array = npt.NDArray[Any]

LEVEL = 0.01
"""How often an alarm is raised by photos that do not differ, whichever of the tests raises it."""
UNFAMILIAR = "unfamiliar"
CLASSES = "classes"
FEATURES = "features"
_FOLDS = 5
_LEAST_REFERENCE = 40
_LEAST_NEW = 20
_MOST_DRIVERS = 24


@dataclass(frozen=True)
class ClassShare:
    """A class in new photos: its share in training and among the answers, and the corrected one.

    `low` and `high` are the corrected share's 95 % interval; `surprise` is how many standard deviations more
    answers name the class than are expected.
    """

    label: str
    trained: float
    answered: float
    corrected: float
    low: float
    high: float
    surprise: float


@dataclass(frozen=True)
class Driver:
    """A photo that makes new ones differ: called `label`, for the reason of one of the tests."""

    file: str
    label: str
    why: str
    score: float


@dataclass(frozen=True, repr=False)
class Drift(ShortRepr):
    """What a comparison of new photos with the training photos found.

    Attributes
    ----------
    folder
        Where the new photos lie.
    n
        How many could be read.
    failures
        (file, reason) of the others.
    unfamiliar, unfamiliar_interval
        The share of photos unlike the training photos, with its 95 % interval (Wilson); None where the model
        cannot tell.
    unfamiliar_expected
        The share of familiar photos that is called so.
    classes
        By the size of their surprise.
    p_values
        {test: probability of such a difference between draws of the same photos}; the tests are "unfamiliar",
        "classes" and "features".
    alarms
        The tests whose probability is below `LEVEL` divided by the number of tests.
    reference
        How many training and validation photos the features were compared with; 0 where there were none.
    drivers
        The photos that make the difference, by test the foremost first.
    notes
        What could not be looked at, and why.
    """

    folder: str
    n: int
    failures: list[tuple[str, str]]
    unfamiliar: float | None
    unfamiliar_interval: tuple[float, float] | None
    unfamiliar_expected: float | None
    classes: list[ClassShare]
    p_values: dict[str, float]
    alarms: list[str]
    reference: int
    drivers: list[Driver]
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        failures = [{"file": file, "reason": why} for file, why in self.failures]
        parts = {name: [vars(one) for one in getattr(self, name)] for name in ("classes", "drivers")}
        return {**vars(self), "failures": failures, **parts, "level": LEVEL}


@dataclass(frozen=True)
class SeenPhotos:
    """New photos as a model sees them: (N,) names and answers, (N, D) features or (N,) scores where known."""

    names: list[str]
    answers: Array
    features: Array | None
    scores: Array | None
    failures: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Reference:
    """(M, D) features of photos like which new ones should be, their (M,) targets and groups.

    `fresh` says whether the body that made the features had not learned from them: then a detector is fitted
    anew, on a part of them at a time.
    """

    features: Array
    targets: Array
    groups: Array
    fresh: bool


def measure_drift(
    bundle: ModelBundle,
    folder: str | Path,
    *,
    photos: str | Path | None = None,
    progress: Progress | None = None,
) -> Drift:
    """Compare the photos of a folder with those that a model was trained on.

    Parameters
    ----------
    bundle
        The model.
    folder
        The new photos, whatever the sub-folders are called.
    photos
        The folder that the model was trained on; without it features are not compared. Its sealed test photos
        are not looked at.
    progress
        Called with (done, all) while photos are read.

    Returns
    -------
    Drift
        The shares, the tests and their alarms, and the photos that make the difference.

    Raises
    ------
    PhotosError
        If fewer than 20 new photos can be read, or `photos` holds fewer than 40 of the model's.

    Examples
    --------
    >>> from fastclf import ModelBundle
    >>> drift = measure_drift(ModelBundle.load("model"), "photos/november")
    >>> drift.n, sorted(drift.p_values)
    (24, ['classes', 'unfamiliar'])
    """
    files = list_photo_files(Path(folder))
    with Predictor(bundle) as predictor:
        seen = see_photos(predictor, files, progress)
    reference = None if photos is None else read_reference(bundle, Path(photos), progress)
    return compare(bundle, seen, reference, str(folder))


def see_photos(
    predictor: Predictor, files: Sequence[FoundFile], progress: Progress | None = None
) -> SeenPhotos:
    """Return what a model says of files, without those that cannot be read."""
    errors, features, answers = [], [], [np.empty(0, int)]
    for photos, logits, found in predictor.run_files([f.path for f in files], max_bytes=MAX_FOLDER_BYTES):
        errors += [error for _, error in photos]
        answers.append(logits.argmax(1) if len(logits) else np.empty(0, int))
        features.append(found)
        if progress:
            progress(len(errors), len(files))
    failures = [(f.name, str(e.reason)) for f, e in zip(files, errors, strict=True) if e is not None]
    names = [f.name for f, e in zip(files, errors, strict=True) if e is None]
    stacked, detector = np.concatenate(features) if features else np.empty((0, 1)), predictor.bundle.detector
    scores = detector.ood_score(stacked) if detector is not None and len(stacked) else None
    return SeenPhotos(names, np.concatenate(answers), stacked, scores, failures)


def read_reference(bundle: ModelBundle, folder: Path, progress: Progress | None = None) -> Reference:
    """Return the features of a model's photos: all open ones of a frozen body, else those it was judged on.

    Raises
    ------
    PhotosError
        If the folder holds fewer than 40 of them.
    """
    head = bundle.manifest.training.head
    frozen = head is not None and head.own_features is False
    splits = (TRAIN, VALID) if frozen else (VALID,)
    rows = {row.sha256: row for row in bundle.read_photos() if row.split in splits}
    with Catalog.of_photos(folder) as catalog:
        catalog.scan(progress)
        there = {p.sha256: p for p in catalog.photos().photos if p.sha256 in rows and p.label in bundle.vocab}
        photos = list(there.values())
        _refuse_few(len(photos), bundle, folder)
        cache = catalog.feature_cache(bundle.manifest.features_id)
        features = extract_features(cache, photos, bundle, progress=progress)
    known = np.isfinite(features).all(1)
    targets = np.array([bundle.vocab.index(p.label) for p in photos])
    groups = np.array([rows[p.sha256].group for p in photos])
    return Reference(features[known], targets[known], groups[known], fresh=frozen)


def _refuse_few(n: int, bundle: ModelBundle, folder: Path) -> None:
    if n < _LEAST_REFERENCE:
        raise PhotosError(
            "{folder} holds {n} photos that {path} can be compared by; {least} is the least. Name the folder "
            "that it was trained on.",
            folder=folder,
            n=n,
            path=bundle.path,
            least=_LEAST_REFERENCE,
        )


def compare(bundle: ModelBundle, seen: SeenPhotos, reference: Reference | None, folder: str) -> Drift:
    """Compare what a model sees in new photos with its training."""
    n = len(seen.names)
    if n < _LEAST_NEW:
        raise PhotosError(
            "{folder} holds {n} photos that can be read; {least} is the least that can be compared.",
            folder=folder,
            n=n,
            least=_LEAST_NEW,
        )
    shares = _compare_classes(bundle, seen)
    p_values, drivers, notes = {CLASSES: shares.p}, list[Driver](), list[str]()
    unfamiliar = _compare_unfamiliar(bundle, seen, reference, p_values, drivers)
    _compare_features(bundle, seen, reference, p_values, drivers, notes)
    alarms = [name for name, p in p_values.items() if p < LEVEL / len(p_values)]
    return Drift(
        folder=folder,
        n=n,
        failures=seen.failures,
        **unfamiliar,
        classes=_list_classes(bundle, shares),
        p_values=p_values,
        alarms=alarms,
        reference=0 if reference is None else len(reference.features),
        drivers=[driver for driver in drivers if driver.why in alarms],
        notes=notes,
    )


def _compare_unfamiliar(
    bundle: ModelBundle,
    seen: SeenPhotos,
    reference: Reference | None,
    p_values: dict[str, float],
    drivers: list[Driver],
) -> dict[str, Any]:
    """Add the test of unfamiliar photos, and the photos; return the fields that say how many there are."""
    n, detector = len(seen.names), bundle.detector
    threshold = detector.threshold_ if detector else np.inf
    above = None if seen.scores is None else int((seen.scores > threshold).sum())
    p = _test_unfamiliar(bundle, seen, reference, above)
    if p is not None and seen.scores is not None:
        p_values[UNFAMILIAR] = p
        drivers += _list_drivers(seen.names, _name_answers(bundle, seen), seen.scores, UNFAMILIAR, threshold)
    return {
        "unfamiliar": None if above is None else above / n,
        "unfamiliar_interval": None if above is None else wilson_interval(above, n),
        "unfamiliar_expected": detector.stated_rate if detector else None,
    }


def _compare_features(
    bundle: ModelBundle,
    seen: SeenPhotos,
    reference: Reference | None,
    p_values: dict[str, float],
    drivers: list[Driver],
    notes: list[str],
) -> None:
    """Add the test of features, and the photos; or the note that there are none to compare with."""
    if reference is None or seen.features is None:
        notes.append("The training photos were not at hand, so features were not compared.")
        return
    found = compare_features(reference.features, seen.features)
    p_values[FEATURES] = found.p
    drivers += _list_drivers(seen.names, _name_answers(bundle, seen), found.witness, FEATURES, 0.0)


def _name_answers(bundle: ModelBundle, seen: SeenPhotos) -> list[str]:
    return [bundle.vocab[k] for k in seen.answers]


def _compare_classes(bundle: ModelBundle, seen: SeenPhotos) -> ShareComparison:
    counts = Counter(row.label for row in bundle.read_photos())
    training = np.array([max(counts.get(label, 0), 1) for label in bundle.vocab])
    valid = bundle.manifest.metrics.valid
    confusion = valid.get("confusion") if valid else None
    answers = np.bincount(seen.answers, minlength=len(bundle.vocab))
    return compare_shares(answers, training, None if confusion is None else np.array(confusion))


def _list_classes(bundle: ModelBundle, shares: ShareComparison) -> list[ClassShare]:
    counts = Counter(row.label for row in bundle.read_photos())
    total = max(sum(counts.values()), 1)
    columns = (shares.answered, shares.corrected, shares.low, shares.high, shares.surprise)
    rows = [
        ClassShare(label, counts.get(label, 0) / total, *map(float, values))
        for label, *values in zip(bundle.vocab, *columns, strict=True)
    ]
    return sorted(rows, key=lambda row: -abs(row.surprise))


def _test_unfamiliar(
    bundle: ModelBundle, seen: SeenPhotos, reference: Reference | None, above: int | None
) -> float | None:
    """Return how probable such high scores are; by the threshold alone where no photos are at hand."""
    detector = bundle.detector
    if detector is None or seen.scores is None or above is None:
        return None
    if reference is not None and seen.features is not None and not reference.fresh:
        return compare_tails([(detector.ood_score(reference.features), seen.scores)])
    if reference is not None and seen.features is not None:
        return compare_tails(score_by_folds(reference, seen.features))
    if not detector.n_valid:
        return None
    # the threshold is the so many-th highest score of validation photos, see `find_threshold`
    lowest = math.ceil((detector.n_valid + 1) * (1 - detector.stated_rate) - 1e-9)
    return compare_exceedances(
        above, len(seen.scores), detector.n_valid + 1 - min(lowest, detector.n_valid), detector.n_valid
    )


def score_by_folds(reference: Reference, new: Array) -> list[tuple[Array, Array]]:
    """Score each part of the reference beside a part of the new photos, by what was fitted on neither."""
    folds = draw_folds(reference.targets, list(reference.groups), _FOLDS, 0)
    part = np.random.default_rng(0).permutation(len(new)) % _FOLDS
    pairs = []
    for k in range(_FOLDS):
        held = folds == k
        rest, held_features = reference.features[~held], reference.features[held]
        fitted = MahalanobisDetector.fit(rest, held_features, reference.targets[~held])
        pairs.append((fitted.ood_score(held_features), fitted.ood_score(new[part == k])))
    return pairs


def _list_drivers(
    names: Sequence[str], labels: Sequence[str], scores: Array, why: str, least: float
) -> list[Driver]:
    order = np.argsort(-scores, kind="stable")[:_MOST_DRIVERS]
    return [Driver(names[i], labels[i], why, float(scores[i])) for i in order if scores[i] > least]
