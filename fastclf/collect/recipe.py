"""Recipes: a classifier in ten lines of TOML."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from ..errors import UsageProblem
from .samples import write_digits

_FOLDER = resources.files("fastclf.collect") / "recipes"
_SAMPLES = {"digits": write_digits}
_KEYS: dict[str, type] = {
    "name": str,
    "title": str,
    "sample": str,
    "photo_licence": str,
    "train": dict,
}
_TRAIN_KEYS: dict[str, type] = {
    "arch": str,
    "size": int,
    "resize": str,
    "augment": str,
    "epochs": int,
    "batch_size": int,
    "lr": float,
    "pretrained": bool,
}


@dataclass(frozen=True)
class Recipe:
    """What a classifier is made of.

    Attributes
    ----------
    name
        Also the name of its folder under ``photos/``.
    title
        What the dashboard calls it.
    sample
        The embedded photos that it uses.
    photo_licence
        The licence of the photos.
    train
        Options of the training, by name.
    """

    name: str
    title: str
    sample: str
    photo_licence: str = "not recorded"
    train: dict[str, Any] = field(default_factory=dict)

    def write_photos(self, folder: Path) -> Path:
        """Put the recipe's photos into a folder, unless they are there."""
        return _SAMPLES[self.sample](folder)


def list_recipes() -> list[str]:
    """Return the names of the recipes that come with fastclf."""
    return sorted(f.name.removesuffix(".toml") for f in _FOLDER.iterdir() if f.name.endswith(".toml"))


def load_recipe(name: str) -> Recipe:
    """Read a recipe by its name.

    Raises
    ------
    UsageProblem
        If there is none of that name, or a key of it is unknown, missing or of the wrong type.
    """
    if name not in list_recipes():
        raise UsageProblem(f"There is no recipe {name!r}. There is: {', '.join(list_recipes())}.")
    return parse_recipe((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"), f"{name}.toml")


def parse_recipe(text: str, file: str) -> Recipe:
    """Read a recipe's text.

    Parameters
    ----------
    text
        TOML.
    file
        What to call it in an error.

    Raises
    ------
    UsageProblem
        As `load_recipe`; the message names file and key.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise UsageProblem(f"{file} is not valid TOML: {e}.") from None
    _check_keys(values, _KEYS, file, "")
    _check_keys(values.get("train", {}), _TRAIN_KEYS, file, "train.")
    for key in ("name", "title", "sample"):
        if key not in values:
            raise UsageProblem(f"{file} lacks the key {key!r}.")
    if values["sample"] not in _SAMPLES:
        raise UsageProblem(f"{file}: sample is {values['sample']!r}; it can be {', '.join(_SAMPLES)}.")
    return Recipe(**values)


def _check_keys(values: dict[str, Any], allowed: dict[str, type], file: str, prefix: str) -> None:
    for key, value in values.items():
        if key not in allowed:
            raise UsageProblem(f"{file}: unknown key {prefix}{key!s}; known are {', '.join(allowed)}.")
        if not isinstance(value, allowed[key]) or (allowed[key] is int and isinstance(value, bool)):
            raise UsageProblem(f"{file}: {prefix}{key} is {value!r}; it must be a {allowed[key].__name__}.")
