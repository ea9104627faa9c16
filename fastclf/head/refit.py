"""Retrain the head on current labels, in seconds: the new bundle stands beside the old one.

This half is light; the child process, `refit_worker`, needs SciPy and onnx (the extra `head`).
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import RefitError, unpack_message
from ..metrics import PairedDifference, compare_paired
from ..model import IMPORTED, MANIFEST, ModelBundle
from ..system import find_write_error, hash_file, recover_folder, run_child, scratch_folder, swap_folder
from .earlier import drop_oldest, keep_as_earlier
from .refit_progress import STEPS, RefitProgress, read_progress

_TIMEOUT = 3600.0


@dataclass(frozen=True)
class ChangedPhoto:
    """A validation photo whose answer became right or wrong: its key in the catalog, path, today's label."""

    key: int
    name: str
    label: str
    before: str
    after: str


@dataclass(frozen=True)
class Refit:
    """A refitted model beside the old one.

    Attributes
    ----------
    model, candidate
        The folders of the old one and of the new one.
    before, after, n
        Accuracy of both on the same `n` validation photos, with current labels.
    n_train
        How many photos the head was fitted on.
    changed
        The photos whose answer changed sides.
    computed
        How many photos' features had to be computed; the others' were cached.
    seconds
        How long it took.
    notes
        Sentences for the person.
    stamp
        Hash of the new bundle's manifest: `use_refit` and `discard_refit` touch no other one.
    """

    model: Path
    candidate: Path
    before: float
    after: float
    n: int
    n_train: int
    changed: tuple[ChangedPhoto, ...]
    computed: int
    seconds: float
    notes: tuple[str, ...]
    stamp: str

    @property
    def difference(self) -> PairedDifference:
        """How much better the new model is, and whether that is more than chance."""
        gained = sum(photo.after == photo.label for photo in self.changed)
        return compare_paired(gained, len(self.changed) - gained, self.n)


def refit_head(
    model: str | Path, folder: str | Path, progress: Callable[[RefitProgress], object] | None = None
) -> Refit:
    """Fit a bundle's head, temperature and unfamiliarity anew on the current labels of a folder of photos.

    The body stays as it is, so cached features serve; those of new photos are computed. The new bundle goes
    to a hidden folder beside the old one, which stays untouched until `use_refit`.

    Parameters
    ----------
    model
        Folder of the bundle.
    folder
        The photos, with their catalog.
    progress
        Called several times a second with how far it is. What it raises ends the child process, and goes on
        from here; `StoppedError` is meant for that.

    Returns
    -------
    Refit
        The new model beside the old one, and what both answer about the same photos.

    Raises
    ------
    BundleError, PhotosError, RefitError, MissingExtraError
        With a sentence; the old bundle is as it was.

    Examples
    --------
    >>> refit = refit_head("model", "photos/bears")
    >>> refit.n, refit.n_train
    (6, 15)
    >>> use_refit("model", refit.stamp).vocab
    ['black', 'grizzly', 'teddy']
    """
    started = time.monotonic()
    recover_folder(Path(model))
    old = ModelBundle.load(model)
    obstacle = find_obstacle(old)
    if obstacle:
        raise RefitError(obstacle)
    candidate = find_candidate(old.path)
    _check_free(candidate)
    with scratch_folder("refit") as scratch:
        report, told = Path(scratch, "report.json"), Path(scratch, "progress")
        run_child(
            "fastclf.head.refit_worker",
            [old.path.absolute(), Path(folder).absolute(), candidate.absolute(), report, told],
            what="Retraining",
            error=RefitError,
            timeout=_TIMEOUT,
            watch=None if progress is None else _Follower(progress, told),
        )
        values: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    values["changed"] = tuple(ChangedPhoto(**changed) for changed in values["changed"])
    values["notes"] = tuple(map(unpack_message, values["notes"]))
    seconds = round(time.monotonic() - started, 2)
    return Refit(old.path, candidate, seconds=seconds, stamp=hash_file(candidate / MANIFEST), **values)


class _Follower:
    """Tells how far the child is, and before that has begun, too: somebody may want it to end."""

    def __init__(self, progress: Callable[[RefitProgress], object], told: Path) -> None:
        self._progress, self._told, self._last = progress, told, RefitProgress(STEPS[0])

    def __call__(self) -> None:
        # while it is being written nothing can be read
        self._last = read_progress(self._told) or self._last
        self._progress(self._last)


def find_obstacle(bundle: ModelBundle) -> str:
    """Return why a model's head cannot be refitted, or ""."""
    if bundle.manifest.training.mode != IMPORTED or bundle.read_photos():
        return ""
    return (
        "This model was imported, and nobody knows which photos it was trained on: a new head could not be "
        "compared with the old one on photos that are new to both. Train a model on this folder with "
        "`fastclf train`; it can be retrained."
    )


def find_candidate(model: Path) -> Path:
    """Return the folder of the bundle that a refit of `model` writes."""
    model = model.absolute()
    return model.with_name(f".{model.name}-refitted")


def use_refit(model: str | Path, stamp: str | None = None) -> ModelBundle:
    """Put the refitted bundle in the old one's place; the old one is kept beside it (`list_earlier`).

    Parameters
    ----------
    model
        Folder of the model.
    stamp
        Of the `Refit` that is meant; by default it is whichever is there.

    Returns
    -------
    ModelBundle
        The new model.

    Raises
    ------
    BundleError
        If there is no sound refitted bundle. Nothing is changed then.
    RefitError
        If another retraining came in between. Nothing is changed then.

    Examples
    --------
    >>> refit = refit_head("model", "photos/bears")
    >>> len(use_refit("model", refit.stamp).manifest.refits)
    1
    """
    path = Path(model)
    for folder in (path, find_candidate(path)):
        recover_folder(folder)
    candidate = ModelBundle.load(find_candidate(path)).path
    if not _is_meant(candidate, stamp):
        raise RefitError(
            "Another retraining replaced this new model meanwhile. Retrain again and compare once more; "
            "nothing was changed."
        )
    # a copy, because the old bundle has to stay in its place until the new one takes it in one step
    keep_as_earlier(path)
    swap_folder(candidate, path, marker=MANIFEST)
    drop_oldest(path)
    return ModelBundle.load(path)


def discard_refit(model: str | Path, stamp: str | None = None) -> None:
    """Remove the refitted bundle, unless it is another one than `stamp` says; the old one goes on.

    Parameters
    ----------
    model
        Folder of the model.
    stamp
        Of the `Refit` that is meant; by default it is whichever is there.

    Examples
    --------
    >>> refit = refit_head("model", "photos/bears")
    >>> discard_refit("model", refit.stamp)
    >>> use_refit("model", refit.stamp)
    Traceback (most recent call last):
        ...
    fastclf.errors.BundleError: There is no ...
    """
    candidate = find_candidate(Path(model))
    if (candidate / MANIFEST).is_file() and _is_meant(candidate, stamp):
        shutil.rmtree(candidate, ignore_errors=True)


def _is_meant(candidate: Path, stamp: str | None) -> bool:
    return stamp is None or hash_file(candidate / MANIFEST) == stamp


def _check_free(folder: Path) -> None:
    """Refuse to replace what is no bundle, and what cannot be written."""
    if folder.exists() and not (folder / MANIFEST).is_file():
        raise RefitError(
            "{candidate} is in the way and no model. Move it away, then try again.", candidate=folder
        )
    if reason := find_write_error(folder):
        raise RefitError(
            "The new model cannot be written beside the old one: {folder} ({reason}).",
            folder=folder.parent,
            reason=reason,
        )
