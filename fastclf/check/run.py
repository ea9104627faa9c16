"""Check a folder with the best features at hand: general ones, a model's own, or a plain descriptor."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..catalog import Catalog
from ..errors import BundleError, Message
from ..metrics import compute_softmax
from ..model import FeatureCache, ModelBundle, compute_logits, extract_features
from ..photos import TEST, TRAIN, VALID, Photo, Progress
from ..system import write_atomic
from .report import CheckReport

Array = npt.NDArray[Any]

_GENERAL = "general.json"


@dataclass(frozen=True)
class GeneralFeatures:
    """Features of a network that knows nothing of these labels.

    Attributes
    ----------
    features_id
        Names them in the cache.
    source
        In words.
    """

    features_id: str
    source: str


def check_folder(
    catalog: Catalog,
    bundle: ModelBundle | None = None,
    *,
    labels: bool = True,
    progress: Progress | None = None,
) -> CheckReport:
    """Check the photos of the last scan with the best features at hand.

    General features that are cached (see `remember_general`) come first, since they never saw the labels;
    then the model's own, with its own answers about photos that it was not trained on; then a plain
    descriptor. A model that is no better than chance is passed over, and one that was never judged does not
    answer; a note says so.

    Parameters
    ----------
    catalog
        The photos' catalog, scanned.
    bundle
        A model of these photos.
    labels
        Whether labels are checked, which takes a child process.
    progress
        Called with (done, all) while features are computed.
    """
    photos = catalog.photos().photos
    if bundle is not None and not knows_photos(bundle, photos):
        bundle = None
    # what is sealed for the model is sealed for the check
    sealed = find_sealed(bundle)
    general = _find_general(catalog, photos)
    if general is not None:
        features, source = general
        return catalog.check(features, provenance=source, labels=labels, sealed=sealed)
    if bundle is None:
        return catalog.check(labels=labels)
    better = beats_chance(bundle)
    if better is False:
        return catalog.check(labels=labels, sealed=sealed, notes=(_write_chance(bundle),))
    cache = catalog.feature_cache(str(bundle.manifest["features_id"]))
    # what is sealed for the test is not even looked at
    extract_features(cache, find_open_photos(catalog, photos, sealed), bundle, progress=progress)
    features = _stack(catalog, cache, photos, sealed)
    return catalog.check(
        features,
        find_own_answers(bundle, photos, features) if better else None,
        f"the body of {bundle.title} ({bundle.manifest['arch']})",
        vocab=bundle.vocab if better else None,
        out_of_sample=False,
        labels=labels,
        sealed=sealed,
        notes=(
            "The features come from a network that was trained on these labels, which hides some wrong ones; "
            "the photos that it was not trained on are judged by its own answers."
            if better
            else "The features come from a network that was trained on these labels, which hides some wrong "
            "ones; its own answers are passed over, since it has no validation figures on record.",
        ),
    )


def beats_chance(bundle: ModelBundle) -> bool | None:
    """Return whether a model is surely better than always naming the largest class; None if not on record.

    Surely: the lower end of its validation accuracy's 95 % interval lies above that class's share of the
    validation photos.
    """
    valid = bundle.manifest["metrics"].get("valid") or {}
    try:
        return bool(valid["accuracy_interval"][0] > _find_chance(valid))
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def _find_chance(valid: dict[str, Any]) -> float:
    """Return the share of the largest class."""
    return float(max(c["n"] for c in valid["per_class"].values()) / valid["n"])


def _write_chance(bundle: ModelBundle) -> str:
    valid = bundle.manifest["metrics"]["valid"]
    low, high = valid["accuracy_interval"]
    return Message(
        "The model {title} ({arch}) is passed over: its validation accuracy of {accuracy:.1%} ({low:.1%} to "
        "{high:.1%}, n = {n}) is not surely above {chance:.1%}, what naming the largest class always gives. "
        "Train it longer.",
        title=bundle.title,
        arch=bundle.manifest["arch"],
        accuracy=valid["accuracy"],
        low=low,
        high=high,
        n=valid["n"],
        chance=_find_chance(valid),
    )


def find_first_answers(catalog: Catalog, bundle: ModelBundle) -> dict[str, tuple[str, float]]:
    """Return {name: (label, probability)} that cached features give at once.

    Only of validation photos: what is sealed, or not yet told to be sealed or not, has to wait.
    """
    photos = [p for p in catalog.photos().photos if p.split == VALID]
    cache = catalog.feature_cache(str(bundle.manifest["features_id"]))
    features = _stack(catalog, cache, photos, find_sealed(bundle))
    if not features.size or not beats_chance(bundle):
        return {}
    probs = find_own_answers(bundle, photos, features)
    rows = np.flatnonzero(np.isfinite(probs).all(1))
    return {photos[i].name: (bundle.vocab[int(probs[i].argmax())], float(probs[i].max())) for i in rows}


def find_sealed(bundle: ModelBundle | None) -> frozenset[str]:
    """Return the sha256 of the bundle's test photos."""
    rows = [] if bundle is None else bundle.read_photos()
    return frozenset(row.sha256 for row in rows if row.split == TEST)


def find_open_photos(catalog: Catalog, photos: Sequence[Photo], sealed: frozenset[str]) -> list[Photo]:
    """Return the photos without those that are sealed for the test, on record or by `sealed`."""
    opened = catalog.opened_hashes()
    return [p for p in photos if (p.split != TEST and p.sha256 not in sealed) or p.sha256 in opened]


def _stack(catalog: Catalog, cache: FeatureCache, photos: Sequence[Photo], sealed: frozenset[str]) -> Array:
    """Return (N, D) cached features, NaN for sealed photos whatever the cache holds."""
    features, _ = cache.stack([p.sha256 for p in photos])
    opened = {p.id for p in find_open_photos(catalog, photos, sealed)}
    features[[i for i, p in enumerate(photos) if p.id not in opened]] = np.nan
    return features


def find_own_answers(bundle: ModelBundle, photos: Sequence[Photo], features: Array) -> Array:
    """Return (N, K) probabilities of the bundle about photos it was never trained on, NaN elsewhere."""
    trained = {row.sha256 for row in bundle.read_photos() if row.split == TRAIN}
    logits = compute_logits(features, bundle)
    probs = np.full(logits.shape, np.nan)
    rows = np.isfinite(logits).all(1) & np.array([p.sha256 not in trained for p in photos], bool)
    if rows.any():
        probs[rows] = compute_softmax(logits[rows], bundle.temperature)
    return probs


def knows_photos(bundle: ModelBundle, photos: Sequence[Photo]) -> bool:
    """Return whether a bundle was trained on some of these photos."""
    known = {row.sha256 for row in bundle.read_photos()}
    return any(p.sha256 in known for p in photos)


def find_bundle(path: str | Path, photos: Sequence[Photo]) -> ModelBundle | None:
    """Return the bundle at `path` if there is a sound one that was trained on some of these photos."""
    try:
        bundle = ModelBundle.load(path, verify=False)
    except BundleError:
        return None
    return bundle if knows_photos(bundle, photos) else None


def remember_general(catalog: Catalog, general: GeneralFeatures) -> None:
    """Note that general features of this folder's photos are in the cache."""
    text = json.dumps({"features_id": general.features_id, "source": general.source})
    write_atomic(catalog.private / _GENERAL, text.encode())


def _find_general(catalog: Catalog, photos: Sequence[Photo]) -> tuple[Array, str] | None:
    """Return cached general features, unless they lack photos that may be looked at."""
    try:
        noted = json.loads((catalog.private / _GENERAL).read_text(encoding="utf-8"))
        cache, source = catalog.feature_cache(noted["features_id"]), str(noted["source"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    features, there = cache.stack([p.sha256 for p in photos])
    wanted = np.array([p.split != TEST for p in photos], bool)
    return (features, source) if features.size and there[wanted].all() else None
