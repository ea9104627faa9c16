"""What a command is told to read, judged by a look before anything is loaded."""

from __future__ import annotations

import difflib
import shlex
from pathlib import Path

from ..errors import UsageError

_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".7z", ".rar")
_PHOTOS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".avif")
_ADDRESSES = ("http://", "https://", "ftp://", "s3://", "gs://", "hf://")
_MODEL, _ADDRESS, FOLDER = "a model", "a web address", "a folder"
_ARCHIVE, _PHOTO, _FILE = "an archive", "a photo", "a file"


def find_kind(place: str | Path) -> str:
    """Return what a place is ("a model", "an archive", ...), by name and by a look; "" where nothing is."""
    text = str(place).lower()
    if not text:
        return ""
    if text.startswith(_ADDRESSES):
        return _ADDRESS
    path = Path(place)
    try:
        if path.is_dir():
            return _MODEL if (path / "bundle.json").is_file() else FOLDER
        if not path.exists():
            return ""
    except (OSError, ValueError):  # a name longer than a name can be, or with a null in it
        return ""
    return _ARCHIVE if text.endswith(_ARCHIVES) else _PHOTO if text.endswith(_PHOTOS) else _FILE


def check_photos(folder: Path, call: str, model: Path | None = None) -> None:
    """Refuse what is no folder of photos; one that is not there is told by who reads it.

    Parameters
    ----------
    folder
        What was named.
    call
        How the command is written right, without its name.
    model
        The model of the same call, in case that the two were exchanged.

    Raises
    ------
    UsageError
        If it is something else.
    """
    kind = find_kind(folder)
    if kind == _MODEL and model is not None and find_kind(model) == FOLDER:
        raise UsageError(
            "{folder} is the model and {model} the photos. The order is: fastclf {call}.",
            folder=folder,
            model=model,
            call=call,
        )
    if kind not in ("", FOLDER):
        raise UsageError(
            "{folder} is {kind}, not a folder with one sub-folder per class. {advice}",
            folder=folder,
            kind=kind,
            advice=_advise(kind, str(folder)) or f"The call is: fastclf {call}.",
        )


def check_model(model: Path, call: str, other: str | Path = "") -> None:
    """Refuse a model that is something else; one that is not there is told by who opens it.

    Raises
    ------
    UsageError
        If it is a file, an address, or exchanged with the `other` argument.
    """
    kind = find_kind(model)
    if kind == _MODEL:
        return
    if other and find_kind(other) == _MODEL:
        raise UsageError(
            "{other} is the model and {model} is not. The order is: fastclf {call}.",
            other=other,
            model=model,
            call=call,
        )
    if kind not in ("", FOLDER):
        raise UsageError(
            "{model} is {kind}, and a model is a folder that `fastclf train` wrote. The call is: fastclf "
            "{call}.",
            model=model,
            kind=kind,
            call=call,
        )


def check_source(name: str, recipes: list[str]) -> None:
    """Refuse what can be neither a recipe nor a folder of photos, and say what to do with what it is.

    Raises
    ------
    UsageError
        If so.
    """
    kind = find_kind(name)
    if kind in ("", _FILE, _ADDRESS) and name.lower().endswith(".toml") and kind != _ADDRESS:
        _check_recipe_file(name, kind, recipes)
        return
    if kind == FOLDER:
        return
    near = difflib.get_close_matches(name, recipes, n=1)
    if advice := _advise(kind, name):
        raise UsageError("{name} is {kind}. {advice}", name=name, kind=kind, advice=advice)
    raise UsageError(
        "{name} is neither a folder of photos nor a recipe.{near} Recipes: {recipes}, or a file of your own "
        "that ends with .toml (`fastclf recipes new` writes one).",
        name=name,
        near=f" Did you mean {near[0]}?" if near else "",
        recipes=", ".join(recipes),
    )


def _check_recipe_file(name: str, kind: str, recipes: list[str]) -> None:
    stem = Path(name).stem
    if not kind and stem in recipes and Path(name).name == name:
        raise UsageError(
            "There is no file {name} here. The recipe {stem} comes with fastclf: leave out .toml.",
            name=name,
            stem=stem,
        )


def _advise(kind: str, name: str) -> str:
    """Return what to do with something that is not what a command takes."""
    path = shlex.quote(name)
    return {
        _MODEL: f"To go on from it: fastclf train DIR --from {path}; to try it: fastclf serve {path}.",
        _ARCHIVE: f"Unpack it and name the folder, or write a recipe (`fastclf recipes new mine.toml`) with "
        f"path = {name!r} below [folder], and then: fastclf collect mine.toml.",
        _ADDRESS: f"Write a recipe (`fastclf recipes new mine.toml`) with url = {name!r} below [archive], "
        "and then: fastclf collect mine.toml.",
        _PHOTO: "Name the folder that holds the folders of the classes.",
    }.get(kind, "")
