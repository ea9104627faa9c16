"""The model of a project: its head on the network here, proven to answer as the page did, and judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from ..backbone import PACKAGED, Backbone, open_packaged
from ..catalog import Catalog
from ..errors import ProjectError
from ..head import NO_LEARNER, LinearHead, SeenPhotos, write_model
from ..metrics import compute_softmax
from ..model import BODY, Licences, Manifest, ModelBundle, PhotoRow, TrainingRecord
from ..photos import TRAIN, VALID, Photo, Progress
from .project import PRECISIONS, Project

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class PageParity:
    """How the model's probabilities compare with those of the page, on some photos."""

    photos: int
    largest_difference: float
    allowed: float


@dataclass(frozen=True)
class TaughtPhotos:
    """The photos of a project as they lie in the folder: ``photos[i]`` is the project's i-th one.

    `labels` are the names of the (K,) classes.
    """

    folder: Path
    photos: tuple[Photo, ...]
    labels: tuple[str, ...]


def open_body(project: Project, model: Path | None) -> tuple[Backbone, dict[str, Path]]:
    """Return the network that a project was taught on, and what of a model's folder belongs to it.

    Its weights are those of the page, which may be rounded.

    Parameters
    ----------
    project
        The project.
    model
        The model that its page was made of; None for the network whose weights come by pip.

    Raises
    ------
    ProjectError
        If it is another network.
    BundleError
        If the model does not open.
    WeightsError
        If the packaged weights are not installed.
    """
    kept = {}
    if model is None:
        _check_name(project)
        body = open_packaged()
    else:
        bundle = ModelBundle.load(model)
        body = Backbone.of_model(bundle)
        kept = {BODY: bundle.require(BODY)} if BODY in bundle.manifest.files else {}
    if body.features_id != project.features_id:
        raise ProjectError(
            "The project was taught on the features {theirs} of {arch}, and {place} has {ours}. Name the "
            "model that its page was made of: fastclf import PROJECT --model MODEL.",
            theirs=project.features_id[:12],
            arch=project.backbone,
            place=model or "the network that comes with fastclf",
            ours=body.features_id[:12],
        )
    # what the head was fitted on are the features of the page's own weights
    return (body.round() if project.precision == "int8" else body), kept


def _check_name(project: Project) -> None:
    if project.backbone != PACKAGED.arch:
        raise ProjectError(
            "The project was taught on the network {arch}, and {packaged} is the one that comes with "
            "fastclf. Name the model that its page was made of: fastclf import PROJECT --model MODEL.",
            arch=project.backbone,
            packaged=PACKAGED.arch,
        )


def build_model(
    project: Project,
    taught: TaughtPhotos,
    body: tuple[Backbone, dict[str, Path]],
    out: Path,
    *,
    title: str,
    progress: Progress | None = None,
) -> PageParity:
    """Write the model of a project, if it answers about the project's photos as the page did.

    Parameters
    ----------
    project
        The project.
    taught
        Its photos.
    body
        As `open_body` returns it.
    out
        Folder of the model; an earlier one there is replaced in one step.
    title
        What the dashboard calls it.
    progress
        Called with (done, all) while features are computed.

    Raises
    ------
    ProjectError
        If it answers otherwise, or nothing is left to judge it on. Nothing is written then.
    """
    network, more = body
    with Catalog(taught.folder) as catalog:
        cache = catalog.feature_cache(network.features_id)
        features = network.extract(cache, taught.photos, progress)
    head = _build_head(project, features)
    parity = _compare(project, head, features, taught.folder)
    parts = {split: _select(project, taught, features, split) for split in (TRAIN, VALID)}
    if not parts[VALID].photos:
        raise ProjectError(
            "No photo of the project was kept back, so its head cannot be judged. The photos are in "
            "{folder}; `fastclf train {folder} --mode head` fits it again.",
            folder=taught.folder,
        )
    counts = {split: len(part.photos) for split, part in parts.items()}
    manifest = _describe(project, taught, network, title, counts, parity)
    rows = [
        PhotoRow(photo.sha256, taught.labels[one.label], one.given_group, one.split)
        for photo, one in zip(taught.photos, project.photos, strict=True)
    ]
    write_model(out, manifest, network.graph, head, parts[TRAIN], parts[VALID], rows, more)
    return parity


def _build_head(project: Project, features: Array) -> LinearHead:
    head = project.head
    if features.shape[1:] != head.weight.shape[1:]:
        raise ProjectError(
            "The project's head takes {theirs} features, and the network gives {ours}. Save the project "
            "again.",
            theirs=head.weight.shape[1],
            ours=features.shape[1],
        )
    return LinearHead(head.weight, head.bias, head.C, head.tried, head.folds)


def _compare(project: Project, head: LinearHead, features: Array, folder: Path) -> PageParity:
    """Compare the probabilities here with the page's."""
    allowed = PRECISIONS[project.precision]
    places = {photo.file: place for place, photo in enumerate(project.photos)}
    rows = features[[places[answer.file] for answer in project.parity]]
    here = compute_softmax(head.compute_logits(rows))
    there = np.stack([answer.probabilities for answer in project.parity])
    worst = float(np.abs(here - there).max())
    # where two classes are as likely, either may come first
    lost = there.max(1) - there[np.arange(len(there)), here.argmax(1)]
    if not worst <= allowed or not lost.max() <= allowed:
        raise ProjectError(
            "The model answers about the project's photos otherwise than the page did: probabilities differ "
            "by up to {worst:.2g} (allowed: {allowed:g}), so no model was written. The photos are in "
            "{folder}; `fastclf train {folder} --mode head` fits the head again.",
            worst=worst,
            allowed=allowed,
            folder=folder,
        )
    return PageParity(len(there), worst, allowed)


def _select(project: Project, taught: TaughtPhotos, features: Array, split: str) -> SeenPhotos:
    """Return the photos of a split, each content once; none of "valid" has bytes that were learned."""
    learned = {photo.sha256 for photo in project.photos if photo.split == TRAIN}
    chosen: dict[str, int] = {}
    for place, photo in enumerate(project.photos):
        if photo.split == split and (split == TRAIN or photo.sha256 not in learned):
            chosen.setdefault(photo.sha256, place)
    rows = list(chosen.values())
    photos = [_relabel(taught, project, place) for place in rows]
    return SeenPhotos.keep_read(photos, features[rows], [project.photos[place].given_group for place in rows])


def _relabel(taught: TaughtPhotos, project: Project, place: int) -> Photo:
    return replace(taught.photos[place], label=taught.labels[project.photos[place].label])


def _describe(
    project: Project,
    taught: TaughtPhotos,
    body: Backbone,
    title: str,
    counts: Mapping[str, int],
    parity: PageParity,
) -> Manifest:
    head = project.head
    record = {
        "mode": "head", "pretrained": True, "device": "a browser",
        "head": {"C": head.C, "folds": head.folds, "tried": list(head.tried), "own_features": False},
        "size": body.preprocess.input_size[-1],
        "versions": {"onnxruntime": onnxruntime.__version__, "Teach": project.fastclf},
        "taught": {
            "created": project.created, "classes": list(project.vocab), "precision": project.precision,
            "judged": project.judged, "parity": {"photos": parity.photos, "worst": parity.largest_difference},
        },
    }  # fmt: skip
    return Manifest(
        title=title,
        arch=body.arch,
        vocab=list(taught.labels),
        features_id=body.features_id,
        preprocess=body.preprocess,
        split={"how": "as it was taught", "seed": None, **counts, "test": 0},
        training=TrainingRecord.from_dict(record),
        licences=Licences(weights=body.licence),
        export_pkl=NO_LEARNER,
    )
