"""What a check starts from: the best features at hand, and answers about photos that were not trained on."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..backbone import Backbone, find_packaged, open_packaged
from ..catalog import Catalog
from ..errors import BundleError, Message, WeightsError
from ..issues import DESCRIPTOR_ID, compute_descriptor
from ..metrics import Metrics, compute_softmax
from ..model import FeatureCache, ModelBundle, compute_logits, extract_features
from ..photos import TEST, TRAIN, VALID, Photo, Progress

Array = npt.NDArray[Any]

# So many photos are answered between two looks at the clock.
_PART = 32


@dataclass(frozen=True)
class CheckInputs:
    """Features and answers to check N photos with, in the order of `Catalog.photos`.

    Attributes
    ----------
    features
        (N, D), NaN rows where there are none; by default a plain image descriptor is computed.
    pred_probs
        (N, K) answers about photos that whatever answers was never trained on, NaN rows elsewhere.
    provenance
        Where the features came from, in words.
    vocab
        (K,) labels of the columns of `pred_probs`.
    out_of_sample
        Whether whatever made the features had never seen these labels.
    notes
        Sentences to add to the report.
    sealed
        sha256 of photos that are sealed for the test, beside those whose recorded split says so.
    features_id
        Under which the catalog's cache keeps the features.
    """

    features: Array | None = None
    pred_probs: Array | None = None
    provenance: str = ""
    vocab: Sequence[str] | None = None
    out_of_sample: bool = True
    notes: tuple[str, ...] = ()
    sealed: frozenset[str] = frozenset()
    features_id: str = DESCRIPTOR_ID


def choose_inputs(
    catalog: Catalog, bundle: ModelBundle | None = None, progress: Progress | None = None
) -> CheckInputs:
    """Return the best features at hand, and a model's own answers where they count.

    A model of other photos is passed over, unless it knows all their classes.
    """
    photos = catalog.photos().photos
    if bundle is not None and not can_judge(bundle, photos):
        bundle = None
    note = None
    if has_packaged():
        try:
            # what is sealed for the model is sealed for the check
            return _look(catalog, open_packaged(), photos, find_sealed(bundle), progress)
        except WeightsError as e:
            note = e.message
    found = CheckInputs() if bundle is None else _ask_model(catalog, bundle, photos, progress)
    return found if note is None else replace(found, notes=(*found.notes, note))


def has_packaged() -> bool:
    """Tell whether the network whose weights come by pip can be opened here."""
    return find_packaged() is not None and find_spec("onnx") is not None


def _look(
    catalog: Catalog,
    body: Backbone,
    photos: Sequence[Photo],
    sealed: frozenset[str],
    progress: Progress | None,
) -> CheckInputs:
    """Return the features of a network that knows nothing of these labels."""
    cache = catalog.feature_cache(body.features_id)
    body.extract(cache, find_open_photos(catalog, photos, sealed), progress)
    source = f"{body.arch} with its published weights, frozen"
    return CheckInputs(
        _stack(catalog, cache, photos, sealed),
        provenance=source,
        sealed=sealed,
        features_id=body.features_id,
    )


def _ask_model(
    catalog: Catalog, bundle: ModelBundle, photos: Sequence[Photo], progress: Progress | None
) -> CheckInputs:
    """Return a model's features, and its own answers where it is surely better than chance."""
    sealed = find_sealed(bundle)
    better, valid = beats_chance(bundle), bundle.manifest.metrics.valid
    if valid is not None and better is False:
        return CheckInputs(sealed=sealed, notes=(_write_chance(bundle, valid),))
    cache = catalog.feature_cache(bundle.manifest.features_id)
    # what is sealed for the test is not even looked at
    extract_features(cache, find_open_photos(catalog, photos, sealed), bundle, progress=progress)
    features = _stack(catalog, cache, photos, sealed)
    return CheckInputs(
        features=features,
        pred_probs=find_own_answers(bundle, photos, features) if better else None,
        provenance=f"the body of {bundle.title} ({bundle.manifest.arch})",
        vocab=bundle.vocab if better else None,
        out_of_sample=not _has_seen_labels(bundle),
        notes=(_write_trained(better, frozen=not _has_seen_labels(bundle)),),
        sealed=sealed,
        features_id=bundle.manifest.features_id,
    )


def _has_seen_labels(bundle: ModelBundle) -> bool:
    """Return whether the body was trained on labels of these classes; a frozen one was not."""
    head = bundle.manifest.training.head
    return head is None or head.own_features is not False


def _write_trained(better: bool | None, *, frozen: bool) -> Message:
    if better and frozen:
        return Message("The photos that the model was not trained on are judged by its own answers.")
    if better:
        return Message(
            "The features come from a network that was trained on these labels, which hides some wrong ones; "
            "the photos that it was not trained on are judged by its own answers."
        )
    return Message(
        "The features come from a network that was trained on these labels, which hides some wrong ones; its "
        "own answers are passed over, since it has no validation figures on record."
    )


def beats_chance(bundle: ModelBundle) -> bool | None:
    """Return whether a model is surely better than always naming the largest class; None if not on record.

    Surely: the lower end of its validation accuracy's 95 % interval lies above that class's share of the
    validation photos.
    """
    valid = bundle.manifest.metrics.valid
    try:
        return None if valid is None else bool(valid["accuracy_interval"][0] > _find_chance(valid))
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def _find_chance(valid: Metrics) -> float:
    """Return the share of the largest class."""
    return float(max(c["n"] for c in valid["per_class"].values()) / valid["n"])


def _write_chance(bundle: ModelBundle, valid: Metrics) -> Message:
    low, high = valid["accuracy_interval"]
    return Message(
        "The model {title} ({arch}) is passed over: its validation accuracy of {accuracy:.1%} ({low:.1%} to "
        "{high:.1%}, n = {n}) is not surely above {chance:.1%}, what naming the largest class always gives. "
        "Train it longer.",
        title=bundle.title,
        arch=bundle.manifest.arch,
        accuracy=valid["accuracy"],
        low=low,
        high=high,
        n=valid["n"],
        chance=_find_chance(valid),
    )


def judge_some(
    catalog: Catalog, bundle: ModelBundle, seconds: float, progress: Progress | None = None
) -> dict[str, tuple[str, float]]:
    """Return {name: (label, probability)} of photos that a model never saw, as many as it answers in time.

    They are spread over the folder; what is sealed is not looked at. A model that is not surely better than
    chance answers nothing. What is computed stays in the catalog's cache.
    """
    from ..model import Predictor  # loads ONNX Runtime

    if not beats_chance(bundle):
        return {}
    sealed, trained = find_sealed(bundle), {r.sha256 for r in bundle.read_photos() if r.split == TRAIN}
    photos = [
        p for p in find_open_photos(catalog, catalog.photos().photos, sealed) if p.sha256 not in trained
    ]
    # a hash spreads them evenly, and in the same way every time
    photos.sort(key=lambda p: p.sha256)
    cache, predictor = catalog.feature_cache(bundle.manifest.features_id), Predictor(bundle)
    until, done = time.monotonic() + seconds, 0
    while done < len(photos) and time.monotonic() < until:
        part = photos[done : done + _PART]
        extract_features(cache, part, bundle, predictor=predictor)
        done += len(part)
        if progress:
            progress(done, len(photos))
    features = _stack(catalog, cache, photos[:done], sealed)
    if not features.size:
        return {}
    return name_answers(photos[:done], find_own_answers(bundle, photos[:done], features), bundle.vocab)


def find_first_answers(catalog: Catalog, bundle: ModelBundle) -> dict[str, tuple[str, float]]:
    """Return {name: (label, probability)} that cached features give at once.

    Only of validation photos: what is sealed, or not yet told to be sealed or not, has to wait.
    """
    photos = [p for p in catalog.photos().photos if p.split == VALID]
    cache = catalog.feature_cache(bundle.manifest.features_id)
    features = _stack(catalog, cache, photos, find_sealed(bundle))
    if not features.size or not beats_chance(bundle):
        return {}
    return name_answers(photos, find_own_answers(bundle, photos, features), bundle.vocab)


def name_answers(
    photos: Sequence[Photo], pred_probs: Array, vocab: Sequence[str]
) -> dict[str, tuple[str, float]]:
    """Return {name: (label, probability)} of the photos with finite probabilities."""
    return {
        photo.name: (vocab[int(probs.argmax())], float(probs.max()))
        for photo, probs in zip(photos, pred_probs, strict=True)
        if np.isfinite(probs).all()
    }


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


def can_judge(bundle: ModelBundle, photos: Sequence[Photo]) -> bool:
    """Return whether a bundle was trained on some of these photos, or knows all their classes well enough."""
    if knows_photos(bundle, photos):
        return True
    return {p.label for p in photos} <= set(bundle.vocab) and bool(beats_chance(bundle))


def find_judge(path: str | Path, photos: Sequence[Photo]) -> ModelBundle | None:
    """Return the bundle at `path` if there is a sound one that `can_judge` these photos."""
    try:
        bundle = ModelBundle.load(path, verify=False)
    except BundleError:
        return None
    return bundle if can_judge(bundle, photos) else None


def find_bundle(path: str | Path, photos: Sequence[Photo]) -> ModelBundle | None:
    """Return the bundle at `path` if there is a sound one that was trained on some of these photos."""
    try:
        bundle = ModelBundle.load(path, verify=False)
    except BundleError:
        return None
    return bundle if knows_photos(bundle, photos) else None


def describe_thumbnails(catalog: Catalog, photos: Sequence[Photo]) -> Array:
    """Return (N, D) plain descriptors of the photos' thumbnails, cached like any features."""
    cache = catalog.feature_cache(DESCRIPTOR_ID)
    todo = sorted({p.sha256 for p in photos} - cache.load().keys())
    for start in range(0, len(todo), 1024):
        found = {}
        for sha in todo[start : start + 1024]:
            jpeg = catalog.thumbnail(sha)
            if jpeg is not None:
                with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
                    found[sha] = compute_descriptor(image.convert("RGB"))
        cache.add(found)
    rows, _ = cache.stack([p.sha256 for p in photos])
    return rows
