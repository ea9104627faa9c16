"""The check of a whole folder: what the catalog knows, and what features tell, as one report."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..catalog import Neighbours, Store, find_neighbours
from ..errors import Message
from ..issues import DESCRIPTOR_ID, Quality, compute_descriptor, find_low_quality, find_odd
from ..photos import TEST, Photo, PhotoSet, find_class_folders
from .label_issues import LabelCheck, check_labels
from .report import (  # fmt: skip
    CheckReport,
    ClassCount,
    FeatureSource,
    LabelIssue,
    OddPhoto,
    QualityFinding,
    Unreadable,
    count,
)

if TYPE_CHECKING:
    from ..catalog import Catalog

Array = npt.NDArray[Any]

_SMALL_CLASS = 10
_IMBALANCE = 10
_LARGE_GROUP = 0.02
_LEAST_FOR_ODD = 20


@dataclass(frozen=True)
class Source:
    """What `Catalog.check` was given."""

    features: Array | None
    pred_probs: Array | None
    provenance: str
    vocab: Sequence[str] | None
    out_of_sample: bool
    notes: tuple[str, ...] = ()
    sealed: frozenset[str] = frozenset()


def check_photos(catalog: Catalog, store: Store, source: Source, *, labels: bool) -> CheckReport:
    """Run all checks on the photos of the last scan."""
    found = catalog.photos()
    photos = found.photos
    notes = list(source.notes)
    features, described = _prepare_features(catalog, photos, source, notes)
    # a plain descriptor sees look-alikes, not copies: it takes a network for the feature tier
    by_features = features if source.features is not None else np.zeros((len(photos), 0), np.float32)
    neighbours = find_neighbours(store, photos, by_features)
    notes += [*neighbours.notes, *_find_large_groups(neighbours, len(photos))]
    open_rows = _find_open(catalog, photos, neighbours.groups, source.sealed)
    sealed = len(photos) - int(open_rows.sum())
    if sealed:
        notes.append(
            "1 photo sealed for the test: labels and odd photos are not looked for there."
            if sealed == 1
            else Message(
                "{n} photos sealed for the test: labels and odd photos are not looked for there.", n=sealed
            )
        )
    checked = LabelCheck()
    if labels:
        checked = check_labels(store, photos, features, neighbours.groups, open_rows, source)
        notes += checked.notes
    leaks = neighbours.find_leaks()
    if any(leak.tier != "features" for leak in leaks):
        notes.append("Of copies that stand in two splits, or would join them, training leaves some out.")
    return CheckReport(
        folder=found.folder.resolve().name,
        photos=len(photos),
        unreadable=tuple(Unreadable(*failure) for failure in found.failures),
        duplicates=neighbours.identical,
        near_duplicates=neighbours.near,
        conflicting_labels=neighbours.find_conflicts(),
        low_quality=_check_quality(store, photos),
        label_issues=_list_issues(photos, checked),
        odd=_check_odd(photos, features, neighbours.groups, open_rows),
        leaks=leaks,
        classes=_count_classes(found),
        features=described,
        sealed=sealed,
        notes=tuple(notes),
        answers=checked.answers,
        labels_checked=checked.done,
    )


def _prepare_features(
    catalog: Catalog, photos: Sequence[Photo], source: Source, notes: list[str]
) -> tuple[Array, FeatureSource]:
    if source.features is None:
        features = describe_thumbnails(catalog, photos)
        notes.append(
            "A plain descriptor sees shapes and colours only: on varied photos expect false alarms among the "
            "doubtful labels, and wrong ones that it misses. After `fastclf train` the network helps."
        )
        name = source.provenance or "a plain image descriptor, as no model and no weights are at hand"
        return features, FeatureSource(name, True)
    features = np.asarray(source.features, np.float32)
    if features.ndim != 2 or len(features) != len(photos):
        raise ValueError(f"features have the shape {features.shape}; {len(photos)} rows are needed.")
    return features, FeatureSource(source.provenance or "given", source.out_of_sample)


def describe_thumbnails(catalog: Catalog, photos: Sequence[Photo]) -> Array:
    """Return (N, D) plain descriptors of the photos' thumbnails, cached like any features."""
    cache = catalog.feature_cache(DESCRIPTOR_ID)
    known = cache.load()
    todo = sorted({p.sha256 for p in photos} - known.keys())
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


def _find_open(
    catalog: Catalog, photos: Sequence[Photo], groups: Sequence[str], sealed: frozenset[str]
) -> npt.NDArray[np.bool_]:
    """Return (N,) whether an answer may be shown: the photo is no test photo and no copy of one."""
    opened = catalog.opened_hashes()
    closed = [(p.split == TEST or p.sha256 in sealed) and p.sha256 not in opened for p in photos]
    closed_groups = {group for group, is_closed in zip(groups, closed, strict=True) if is_closed}
    return np.array([group not in closed_groups for group in groups], bool)


def _check_quality(store: Store, photos: Sequence[Photo]) -> tuple[QualityFinding, ...]:
    measures = read_measures(store)
    known = [p for p in photos if p.sha256 in measures]
    found = find_low_quality(
        [measures[p.sha256] for p in known], [p.width for p in known], [p.height for p in known]
    )
    return tuple(QualityFinding(known[f.index].name, f.kind, f.value, f.threshold) for f in found)


def read_measures(store: Store) -> dict[str, Quality]:
    """Return {sha256: Quality} of all contents."""
    rows = store.read("SELECT sha256, quality FROM contents WHERE quality IS NOT NULL")
    return {row["sha256"]: Quality(**json.loads(row["quality"])) for row in rows}


def _list_issues(photos: Sequence[Photo], checked: LabelCheck) -> tuple[LabelIssue, ...]:
    issues = [
        LabelIssue(photos[i].name, photos[i].label, checked.suggested[i], checked.quality[i])
        for i in checked.issues
    ]
    return tuple(sorted(issues, key=lambda issue: (issue.label_quality, issue.file)))


def _check_odd(
    photos: Sequence[Photo], features: Array, groups: Sequence[str], open_rows: npt.NDArray[np.bool_]
) -> tuple[OddPhoto, ...]:
    usable = np.flatnonzero(open_rows & np.isfinite(features).all(1)) if features.size else np.array([], int)
    if len(usable) < _LEAST_FOR_ODD:
        return ()
    result = find_odd(features[usable], [groups[i] for i in usable], [photos[i].label for i in usable])
    odd = [OddPhoto(photos[usable[i]].name, float(result.scores[i])) for i in np.flatnonzero(result.is_odd)]
    return tuple(sorted(odd, key=lambda o: (-o.score, o.file)))


def _count_classes(found: PhotoSet) -> dict[str, ClassCount]:
    counts = Counter(dict.fromkeys(find_class_folders(found.folder), 0))
    counts.update(p.label for p in found.photos)
    most = max(counts.values(), default=0)
    classes = {}
    for label in sorted(counts):
        n, warning = counts[label], None
        if not n:
            warning = (
                f"{label} has no usable photo left: its folder is empty, unreadable, or all was taken out."
            )
        elif n < _SMALL_CLASS:
            warning = f"{label} has {count(n, 'photo')}; some dozens a class make a model."
        elif n * _IMBALANCE < most:
            warning = f"{label} has {count(n, 'photo')}, {most // n} times fewer than the largest class."
        classes[label] = ClassCount(n, warning)
    return classes


def _find_large_groups(neighbours: Neighbours, n: int) -> list[str]:
    sizes = Counter(neighbours.groups)
    return [
        Message(
            "{n} of {m} photos are nearly the same as {name}; they stay in one split.",
            n=size,
            m=n,
            name=group_name(neighbours, name),
        )
        for name, size in sizes.most_common(3)
        if size > max(3, _LARGE_GROUP * n)
    ]


def group_name(neighbours: Neighbours, group: str) -> str:
    """Return the name of a group's first photo."""
    return neighbours.first_names.get(group, group)
