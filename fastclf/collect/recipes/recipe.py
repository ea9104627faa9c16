"""Recipes: a classifier in ten lines of TOML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from ...errors import UsageProblem
from ..found import SERVICES
from ..labelling import LabelRule

_FOLDER = resources.files("fastclf.collect") / "recipes"
_SUFFIX = ".toml"


@dataclass(frozen=True)
class ClassPlan:
    """A class of a recipe, and how its photos are found.

    Attributes
    ----------
    label
        Its name, and that of its folder.
    terms
        What to search for.
    urls
        A file with addresses, one a line or a CSV table; "" for none.
    photos
        How many are wanted; None is the recipe's number.
    """

    label: str
    terms: tuple[str, ...] = ()
    urls: str = ""
    photos: int | None = None


@dataclass(frozen=True)
class FileSource:
    """An archive to download, or a folder, a zip file or a cloud path to read.

    Attributes
    ----------
    place
        Where it is.
    rule
        What says a photo's class, from its original name.
    sha256
        The hash of the whole archive; "" where it is not known.
    only
        Patterns such as ``images/*.jpg``; a file counts if one of them fits. Empty: all photos count.
    licence, page
        Of all its photos.
    """

    place: str
    rule: LabelRule
    sha256: str = ""
    only: tuple[str, ...] = ()
    licence: str = ""
    page: str = ""


@dataclass(frozen=True)
class CollectOptions:
    """How photos are collected.

    Attributes
    ----------
    photos_per_class
        How many are wanted of each class.
    largest_side
        The longer side of what is stored, in pixels.
    services
        The search services, the preferred first.
    variations
        Searches that are made of each term, which stands for ``{}``.
    """

    photos_per_class: int = 150
    largest_side: int = 640
    services: tuple[str, ...] = SERVICES
    variations: tuple[str, ...] = ("{} photo", "{}", "{} sun photo", "{} shade photo", "{} close up")


@dataclass(frozen=True)
class Recipe:
    """What a classifier is made of.

    Attributes
    ----------
    name
        Also the name of its folder under ``photos/``.
    title
        What the dashboard calls it.
    intro, colour
        What the dashboard says below the title, and its colour ("#1b57b3"); "" leaves its own.
    sample
        The embedded photos that it uses, or "".
    classes
        The classes whose photos are searched for.
    archive, folder
        Where photos come from that have names already, or None.
    options
        How photos are collected.
    photo_licence
        The licence of the photos, where all have the same.
    train
        Options of the training, by name.
    base
        The folder that relative paths of the recipe start from.
    """

    name: str
    title: str
    intro: str = ""
    colour: str = ""
    sample: str = ""
    classes: tuple[ClassPlan, ...] = ()
    archive: FileSource | None = None
    folder: FileSource | None = None
    options: CollectOptions = field(default_factory=CollectOptions)
    photo_licence: str = "not recorded"
    train: Mapping[str, Any] = field(default_factory=dict)
    base: Path = Path()


def list_recipes() -> list[str]:
    """Return the names of the recipes that come with fastclf."""
    return sorted(
        f.name.removesuffix(_SUFFIX)
        for f in _FOLDER.iterdir()
        if f.name.endswith(_SUFFIX) and not f.name.startswith("_")
    )


def load_recipe(name: str | Path) -> Recipe:
    """Read a recipe that comes with fastclf, or a maker's own file.

    Parameters
    ----------
    name
        A name of `list_recipes`, or a path that ends with ``.toml``.

    Raises
    ------
    UsageProblem
        If there is none of that name, or its text is wrong: the message names file, line and key.
    """
    from .recipe_file import parse_recipe

    text = str(name)
    if text in list_recipes():
        return parse_recipe((_FOLDER / f"{text}{_SUFFIX}").read_text(encoding="utf-8"), f"{text}{_SUFFIX}")
    path = Path(name).expanduser()
    if not is_recipe_file(text):
        raise UsageProblem(
            "There is no recipe {recipe!r}. There is: {recipes}; or name a file of your own "
            "that ends with {suffix} (`fastclf recipes new` writes one).",
            recipe=text,
            recipes=", ".join(list_recipes()),
            suffix=_SUFFIX,
        )
    if path.exists() and not path.is_file():
        raise UsageProblem(
            "The recipe {path} is no file. Name a file that ends with {suffix}.", path=path, suffix=_SUFFIX
        )
    try:
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UsageProblem("{path} is no text in UTF-8; save it as such.", path=path) from None
    except OSError as e:
        raise UsageProblem(
            "The recipe {path} cannot be read ({reason}).", path=path, reason=e.strerror
        ) from None
    return parse_recipe(content, str(path), base=path.absolute().parent)


def is_recipe_file(name: str) -> bool:
    """Return whether a text is meant as the path of a recipe, whether or not that exists."""
    return name.lower().endswith(_SUFFIX)


def read_template() -> str:
    """Return the text of a commented recipe to start from."""
    return (_FOLDER / "_template.toml").read_text(encoding="utf-8")
