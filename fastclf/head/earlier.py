"""The bundles that a refit replaced: the last three are kept in a hidden folder beside the model."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BundleError, FastclfError, RefitError
from ..model import MANIFEST, ModelBundle
from ..system import copy_folder, find_write_error, hash_file, recover_folder, replaced_folder

MOST_EARLIER = 3
"""How many earlier bundles are kept."""

_NAME = re.compile(r"(\d{4,})-[0-9a-f]{8}")


@dataclass(frozen=True)
class EarlierModel:
    """A bundle that was in use before.

    Attributes
    ----------
    path
        Its folder.
    stamp
        Hash of its manifest: what `use_earlier` is given.
    created
        When it was made (ISO 8601).
    accuracy, n
        On so many validation photos, with the labels of that time; None and 0 where nothing was measured.
    """

    path: Path
    stamp: str
    created: str
    accuracy: float | None
    n: int


def find_earlier(model: Path) -> Path:
    """Return the folder that keeps the bundles which were in a model's place before."""
    model = model.absolute()
    return model.with_name(f".{model.name}-earlier")


def list_earlier(model: str | Path) -> list[EarlierModel]:
    """Return the bundles that were in a model's place before, the last one first; damaged ones are left out.

    Parameters
    ----------
    model
        Folder of the model.

    Returns
    -------
    list of EarlierModel
        Each with the stamp that `use_earlier` takes.

    Examples
    --------
    >>> list_earlier("model")
    []
    """
    manifest = Path(model, MANIFEST)
    used = hash_file(manifest) if manifest.is_file() else ""
    found = [_read_earlier(folder) for folder in _list_folders(Path(model))]
    return [earlier for earlier in found if earlier and earlier.stamp != used][:MOST_EARLIER]


def _read_earlier(folder: Path) -> EarlierModel | None:
    try:
        manifest = ModelBundle.load(folder, verify=False).manifest
        stamp = hash_file(folder / MANIFEST)
    except (FastclfError, OSError):
        return None
    metrics: Mapping[str, Any] = manifest.metrics.valid or {}
    return EarlierModel(folder, stamp, manifest.created, metrics.get("accuracy"), metrics.get("n", 0))


def use_earlier(model: str | Path, stamp: str) -> ModelBundle:
    """Put an earlier bundle back into its place; the one that was there is kept as an earlier one.

    Parameters
    ----------
    model
        Folder of the bundle.
    stamp
        Of the `EarlierModel` that is meant.

    Returns
    -------
    ModelBundle
        The model that is in its place again.

    Raises
    ------
    BundleError
        If it is not there any more, or damaged. Nothing is changed then.
    RefitError
        If nothing can be written beside the model. Nothing is changed then.

    Examples
    --------
    >>> from fastclf.head import list_earlier, refit_head, use_refit
    >>> bundle = use_refit("model", refit_head("model", "photos/bears").stamp)
    >>> [earlier] = list_earlier("model")
    >>> len(use_earlier("model", earlier.stamp).manifest.refits)
    0
    """
    path = Path(model)
    recover_folder(path)
    chosen = next((m.path for m in list_earlier(path) if m.stamp == stamp), None)
    if chosen is None:
        raise BundleError("This earlier model is not there any more. Reload the page; nothing was changed.")
    ModelBundle.load(chosen)
    keep_as_earlier(path)
    with replaced_folder(path, MANIFEST) as staging:
        staging.rmdir()
        copy_folder(chosen, staging)
    # what is in use is no earlier one
    shutil.rmtree(chosen, ignore_errors=True)
    drop_oldest(path)
    return ModelBundle.load(path)


def keep_as_earlier(model: Path) -> None:
    """Copy the bundle that is in use to the earlier ones; `drop_oldest` removes what is one too many."""
    stamp, kept = hash_file(model / MANIFEST), list(_list_folders(model))
    place = find_earlier(model)
    number = max((_read_number(folder) for folder in kept), default=0) + 1
    target = place / f"{number:04}-{stamp[:8]}"
    if reason := find_write_error(target):
        raise RefitError(
            "The old model cannot be kept beside the new one: {folder} ({reason}).",
            folder=place.parent,
            reason=reason,
        )
    with replaced_folder(target, MANIFEST) as staging:
        staging.rmdir()
        copy_folder(model, staging)
    for folder in kept:
        if folder.name.endswith(stamp[:8]):
            shutil.rmtree(folder, ignore_errors=True)


def drop_oldest(model: Path) -> None:
    """Remove earlier bundles but for the last three."""
    for folder in list(_list_folders(model))[MOST_EARLIER:]:
        shutil.rmtree(folder, ignore_errors=True)


def _list_folders(model: Path) -> Iterator[Path]:
    """Yield the folders of earlier bundles, the last one first; what is somebody else's stays unseen."""
    place = find_earlier(model)
    folders = [p for p in place.iterdir() if _NAME.fullmatch(p.name)] if place.is_dir() else []
    yield from sorted((p for p in folders if (p / MANIFEST).is_file()), key=_read_number, reverse=True)


def _read_number(folder: Path) -> int:
    return int(folder.name.partition("-")[0])
