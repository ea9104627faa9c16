"""The check of a whole folder: what the catalog knows and what features tell, kind by kind, as one report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..catalog import Catalog
from ..errors import Message, count_message
from ..issues import CheckedPhotos, Copies, Finding, find_copies, list_kinds
from ..model import ModelBundle
from ..photos import Photo, PhotoSet, Progress, find_class_folders
from .inputs import CheckInputs, choose_inputs, describe_thumbnails, find_open_photos, name_answers
from .label_issues import check_labels
from .report import CheckReport, ClassCount, FeatureSource

Array = npt.NDArray[Any]

# A group of copies is worth a note from this share of the photos on; chosen by hand, not tuned.
_LARGE_GROUP = 0.02
# So many scales of greys are named.
_SCALES = 3


def check_folder(
    photos: str | Path | Catalog,
    bundle: ModelBundle | str | Path | None = None,
    *,
    labels: bool = True,
    progress: Progress | None = None,
) -> CheckReport:
    """Check the photos of a folder with the best features at hand; no file is changed.

    Features of a frozen network whose weights come by pip are taken first, since they never saw the labels;
    then the model's own, with its own answers about photos that it was not trained on; then a plain
    descriptor. A model that is no better than chance is passed over, and one that was never judged does not
    answer; a note says so.

    Parameters
    ----------
    photos
        A folder with one sub-folder per class, which is scanned; or a catalog, as of its last scan.
    bundle
        A model of these photos, or its folder.
    labels
        Whether labels are checked, which takes the extra `head` and a child process.
    progress
        Called with (done, all) while photos are read and while features are computed.

    Returns
    -------
    CheckReport
        The findings of each kind, the worst first.

    Raises
    ------
    PhotosError
        If there is no such folder, or no photo in it.
    CatalogError
        If the catalog cannot be opened or written.
    BundleError
        If the model does not open.

    Examples
    --------
    >>> report = check_folder("photos/bears", labels=False)
    >>> report.photos, sorted(report.classes)
    (24, ['black', 'grizzly', 'teddy'])
    >>> print(report.to_text())
    24 readable photos of 3 classes: black 8, grizzly 8, teddy 8.
    Label doubts: not looked for.
    ...
    """
    if not isinstance(photos, Catalog):
        with Catalog.of_photos(photos) as catalog:
            catalog.scan(progress)
            return check_folder(catalog, bundle, labels=labels, progress=progress)
    if isinstance(bundle, str | Path):
        bundle = ModelBundle.load(bundle)
    return check_catalog(photos, choose_inputs(photos, bundle, progress), labels=labels)


def check_catalog(catalog: Catalog, inputs: CheckInputs | None = None, *, labels: bool = True) -> CheckReport:
    """Check the photos of the last scan with given features.

    Parameters
    ----------
    catalog
        The photos' catalog, scanned.
    inputs
        Features and answers; by default a plain image descriptor is computed.
    labels
        Whether labels are checked, which takes the extra `clean` and a child process.

    Returns
    -------
    CheckReport
        The findings of each kind, the worst first.

    Raises
    ------
    ValueError
        If the arrays do not fit the photos.

    Examples
    --------
    >>> from fastclf import Catalog
    >>> with Catalog("photos/bears") as catalog:
    ...     scanned = catalog.scan()
    ...     report = check_catalog(catalog, labels=False)
    >>> report.photos
    24
    """
    inputs = inputs or CheckInputs()
    found = catalog.photos()
    features, source = _prepare_features(catalog, found.photos, inputs)
    checked, capped = _gather(catalog, found, inputs, features)
    notes = [*catalog.remarks, *inputs.notes, *_write_notes(checked, inputs, capped)]
    answers = {}
    if labels:
        issues, more = check_labels(catalog, checked, inputs)
        notes += more
        checked = replace(checked, label_issues=issues)
        if issues is not None:
            usable = [checked.photos[i] for i in checked.usable]
            answers = name_answers(usable, issues.pred_probs, issues.vocab)
    findings = _find_issues(checked)
    return CheckReport(
        folder=found.folder.resolve().name,
        photos=len(found.photos),
        classes=_describe_classes(checked.classes, findings),
        findings=findings,
        features=source,
        sealed=int((~checked.is_open).sum()),
        notes=tuple(notes),
        answers=answers,
    )


def _find_issues(checked: CheckedPhotos) -> dict[str, tuple[Finding, ...]]:
    """Return {key of a kind: its findings} of the kinds that were looked for."""
    found = ((kind.key, kind.find(checked)) for kind in list_kinds())
    return {key: tuple(rows) for key, rows in found if rows is not None}


def _prepare_features(
    catalog: Catalog, photos: Sequence[Photo], inputs: CheckInputs
) -> tuple[Array, FeatureSource]:
    if inputs.features is None:
        name = inputs.provenance or "a plain image descriptor, as no model and no weights are at hand"
        return describe_thumbnails(catalog, photos), FeatureSource(name, True)
    features = np.asarray(inputs.features, np.float32)
    if features.ndim != 2 or len(features) != len(photos):
        raise ValueError(f"features have the shape {features.shape}; {len(photos)} rows are needed.")
    return features, FeatureSource(inputs.provenance or "given", inputs.out_of_sample)


def _gather(
    catalog: Catalog, found: PhotoSet, inputs: CheckInputs, features: Array
) -> tuple[CheckedPhotos, int]:
    """Return what is known of the photos, and how many have more near copies than were compared."""
    near = catalog.find_near_pairs()
    pairs = [(pair.a, pair.b, pair.score, pair.turn) for pair in near.pairs]
    # a plain descriptor sees look-alikes, not copies: it takes a network for the feature tier
    by_network = features if inputs.features is not None else np.zeros((len(features), 0), np.float32)
    copies = find_copies(found.photos, pairs, by_network, catalog.confirm_pairs)
    classes = Counter(dict.fromkeys(find_class_folders(found.folder), 0))
    classes.update(p.label for p in found.photos)
    checked = CheckedPhotos(
        photos=found.photos,
        failures=found.failures,
        classes=dict(sorted(classes.items())),
        copies=copies,
        is_open=_find_open(catalog, found.photos, copies, inputs.sealed),
        features=features,
        measures=catalog.measures(),
    )
    return checked, near.capped


def _find_open(
    catalog: Catalog, photos: Sequence[Photo], copies: Copies, sealed: frozenset[str]
) -> npt.NDArray[np.bool_]:
    """Return (N,) whether an answer may be shown: the photo is no test photo and no copy of one."""
    opened = {p.id for p in find_open_photos(catalog, photos, sealed)}
    closed = {name for name, p in zip(copies.names, photos, strict=True) if p.id not in opened}
    return np.array([name not in closed for name in copies.names], bool)


def _describe_classes(
    classes: Mapping[str, int], findings: Mapping[str, Sequence[Finding]]
) -> dict[str, ClassCount]:
    """Return how many photos each class has, with what was found about it as a whole."""
    warnings = {f.labels[0]: f.words for rows in findings.values() for f in rows if not f.files}
    return {label: ClassCount(n, warnings.get(label)) for label, n in classes.items()}


def _write_notes(checked: CheckedPhotos, inputs: CheckInputs, capped: int) -> Iterator[Message]:
    if inputs.features is None and inputs.notes:
        # there is a model, and it says why it is passed over
        yield Message(
            "A plain descriptor sees shapes and colours only: on varied photos expect false alarms among "
            "the doubtful labels, and wrong ones that it misses."
        )
    elif inputs.features is None:
        yield Message(
            "A plain descriptor sees shapes and colours only: on varied photos expect false alarms among "
            "the doubtful labels, and wrong ones that it misses. A network that was trained on these photos "
            "sees more: `fastclf train` makes one."
        )
    if capped:
        yield Message("{n} photos have so many near copies that only their nearest were compared.", n=capped)
    yield from _describe_large_groups(checked)
    yield from _describe_depth(checked)
    if sealed := int((~checked.is_open).sum()):
        yield count_message(
            sealed,
            "1 photo sealed for the test: labels and odd photos are not looked for there.",
            "{n} photos sealed for the test: labels and odd photos are not looked for there.",
        )
    if any(leak.tier != "features" for leak in checked.copies.leaks):
        yield Message("Of copies that stand in two splits, or would join them, training leaves some out.")


def _describe_depth(checked: CheckedPhotos) -> Iterator[Message]:
    """Say which values became black and white in photos of more than 8 bits, the most frequent first."""
    known = (checked.measures[p.sha256] for p in checked.photos if p.sha256 in checked.measures)
    scales = Counter((q.black, q.white) for q in known if q.white > q.black)
    for (black, white), n in scales.most_common(_SCALES):
        yield count_message(
            n,
            "1 photo has more than 8 bits: its values {black:g} to {white:g} became black to white.",
            "{n} photos have more than 8 bits: their values {black:g} to {white:g} became black to white.",
            black=black,
            white=white,
        )
    if more := sum(n for _, n in scales.most_common()[_SCALES:]):
        yield Message("{n} further photos of more than 8 bits have scales of their own.", n=more)


def _describe_large_groups(checked: CheckedPhotos) -> Iterator[Message]:
    names, photos = checked.copies.names, checked.photos
    first = {name: photo.name for name, photo in reversed(list(zip(names, photos, strict=True)))}
    words = Message("{n} of {m} photos are nearly the same as {name}; they stay in one split.")
    for name, size in Counter(names).most_common(3):
        if size > max(3, _LARGE_GROUP * len(photos)):
            yield Message(words, n=size, m=len(photos), name=first[name])
