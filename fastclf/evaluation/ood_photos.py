"""How well a model tells photos of something else from photos like those that it learned from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import PhotosError, UsageProblem
from ..metrics import compute_auroc, wilson_interval
from ..model import ModelBundle, Predictor
from ..photos import FoundFile, Progress, list_photo_files
from ..system import hash_file
from .predict_many import ask

Array = npt.NDArray[Any]

_MOST = 500


@dataclass(frozen=True)
class ForeignPhotos:
    """The foreign photos that are to be asked about.

    Attributes
    ----------
    name
        The folder's name.
    files
        At most 500 of its photos, evenly chosen.
    known
        How many of the chosen ones were left out because the model knows them.
    """

    name: str
    files: list[FoundFile]
    known: int


def find_foreign(bundle: ModelBundle, folder: str | Path) -> ForeignPhotos:
    """Choose the foreign photos, before anything is looked at.

    Parameters
    ----------
    bundle
        The model.
    folder
        Any folder of photos, with sub-folders or without.

    Raises
    ------
    UsageProblem
        If the model has nothing that tells unfamiliar photos.
    PhotosError
        If the folder holds no photo that the model does not know.
    """
    if bundle.detector is None:
        raise UsageProblem(
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
    fresh = [file for file in chosen if file.size < 0 or hash_file(file.path) not in hashes]
    if not fresh:
        reason = "holds no photos" if not chosen else "holds only photos that the model was made with"
        raise PhotosError(
            "{folder} {reason}. Name a folder with photos of something else for --foreign.",
            folder=folder,
            reason=reason,
        )
    return ForeignPhotos(Path(folder).resolve().name, fresh, len(chosen) - len(fresh))


def judge_foreign(
    predictor: Predictor,
    photos: ForeignPhotos,
    inside: Array,
    part: str,
    progress: Progress | None = None,
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Compare the unfamiliarity of foreign photos with that of the model's own kind.

    Parameters
    ----------
    predictor
        The model, open.
    photos
        From `find_foreign`.
    inside
        (N,) scores of photos of the model's classes, N at least 1.
    part
        Which ones: "valid" or "test".
    progress
        Called with (done, all).

    Returns
    -------
    tuple
        The entry for `ModelBundle.record_foreign`, and (file, reason) of what could not be read.

    Raises
    ------
    PhotosError
        If no foreign photo can be read.
    """
    asked = ask(predictor, [file.path for file in photos.files], progress)
    failures = [(photos.files[row].name, reason) for row, reason in asked.failures]
    detector = predictor.bundle.detector
    if asked.scores is None or detector is None or not len(asked.scores):
        raise PhotosError(
            "No photo of {name} could be read, so nothing can be said of foreign photos.", name=photos.name
        )
    flagged, n = int(detector.is_unfamiliar(asked.scores).sum()), len(asked.scores)
    entry = {
        "name": photos.name,
        "n": n,
        "auroc": compute_auroc(inside, asked.scores),
        "flagged": flagged / n,
        "flagged_interval": list(wilson_interval(flagged, n)),
        "inside": part,
        "n_inside": len(inside),
    }
    return entry, failures
