"""How well a model tells photos of something else from photos like those that it learned from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..card import save_manifest
from ..errors import BundleError, PhotosError, UsageError
from ..metrics import compute_auroc, wilson_interval
from ..model import ModelBundle, Predictor
from ..photos import MAX_FOLDER_BYTES, FoundFile, Progress, list_photo_files
from ..system import hash_file, utc_now
from .predict_many import FileAnswers, predict_files

Array = npt.NDArray[Any]

_MOST = 500


@dataclass(frozen=True)
class OodPhotos:
    """At most 500 photos of a folder, evenly chosen; `known` others were left out: the model knows them."""

    name: str
    files: list[FoundFile]
    known: int


def find_ood_photos(bundle: ModelBundle, folder: str | Path) -> OodPhotos:
    """Choose the photos, before anything is looked at.

    Raises
    ------
    UsageError
        If the model has nothing that tells unfamiliar photos.
    PhotosError
        If the folder holds no photo that the model does not know.
    """
    if bundle.detector is None:
        raise UsageError(
            "The model {path} has nothing that tells unfamiliar photos, so --foreign cannot be "
            "judged. Leave it out, or train again.",
            path=bundle.path,
        )
    found = list_photo_files(Path(folder))
    # evenly spaced, the first and the last among them
    rows = np.linspace(0, max(len(found) - 1, 0), min(len(found), _MOST)).astype(int)
    chosen = [found[row] for row in np.unique(rows)]
    hashes = {row.sha256 for row in bundle.read_photos()}
    # a file that cannot be read is reported later, by its name and reason
    fresh = [file for file in chosen if not _may_be_hashed(file) or hash_file(file.path) not in hashes]
    if not fresh:
        reason = "holds no photos" if not chosen else "holds only photos that the model was made with"
        raise PhotosError(
            "{folder} {reason}. Name a folder with photos of something else for --foreign.",
            folder=folder,
            reason=reason,
        )
    return OodPhotos(Path(folder).resolve().name, fresh, len(chosen) - len(fresh))


def _may_be_hashed(file: FoundFile) -> bool:
    # a pipe would wait for ever, and what is too large to be a photo for as long as it is large
    return 0 <= file.size <= MAX_FOLDER_BYTES and file.path.is_file()


def measure_ood(
    predictor: Predictor, photos: OodPhotos, inside: Array, part: str, progress: Progress | None = None
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Compare the unfamiliarity of photos of something else with that of the model's own kind.

    Returns the entry for `record_ood`, and (file, reason) of what could not be read; PhotosError if nothing
    can be. `inside` are the scores of the model's own kind, of the part "valid" or "test".
    """
    answers = predict_files(predictor, [file.path for file in photos.files], progress)
    failures = [(photos.files[row].name, reason) for row, reason in answers.failures]
    flagged = count_unfamiliar(predictor.bundle, answers)
    if answers.scores is None or not flagged:
        raise PhotosError(
            "No photo of {name} could be read, so nothing can be said of foreign photos.", name=photos.name
        )
    entry = {
        "name": photos.name,
        "n": flagged["n"],
        "auroc": compute_auroc(inside, answers.scores),
        "flagged": flagged["rate"],
        "flagged_interval": flagged["interval"],
        "inside": part,
        "n_inside": len(inside),
    }
    return entry, failures


def count_unfamiliar(bundle: ModelBundle, answers: FileAnswers) -> dict[str, Any] | None:
    """Return ``n``, ``rate`` and its ``interval`` (95 %, Wilson): how many are called unfamiliar."""
    detector, n = bundle.detector, len(answers.rows)
    if answers.scores is None or detector is None or not n:
        return None
    flagged = int(detector.is_unfamiliar(answers.scores).sum())
    return {"n": n, "rate": flagged / n, "interval": list(wilson_interval(flagged, n))}


def record_ood(bundle: ModelBundle, entry: dict[str, Any]) -> ModelBundle:
    """Note in manifest and card how photos of something else were told; returns the new state.

    The entry is one of `fastclf.model.Ood.against`; an earlier one of that name gives way.

    Raises
    ------
    BundleError
        If the model has nothing that tells unfamiliar photos.
    """
    ood = bundle.manifest.ood
    if ood is None:
        raise BundleError("The model {path} does not tell unfamiliar photos. Train again.", path=bundle.path)
    others = [e for e in ood.against if e["name"] != entry["name"]]
    ood = replace(ood, against=[*others, {**entry, "time": utc_now()}])
    return save_manifest(bundle.path, replace(bundle.manifest, ood=ood))
