"""Recipes: a classifier in ten lines of TOML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...system import read_given_file
from ..labelling import LabelRule
from ..services import SERVICES

_FOLDER = resources.files("fastclf.collect") / "recipes"
_SUFFIX = ".toml"
_MOST_BYTES = 2**22


@dataclass(frozen=True)
class ClassPlan:
    """A class of a recipe: what to search for, a file with addresses, and how many photos are wanted of it.

    Its label is the name of its folder, too; where `photos` is None, the recipe's number holds.
    """

    label: str
    terms: tuple[str, ...] = ()
    urls: str = ""
    photos: int | None = None


@dataclass(frozen=True)
class FileSource:
    """An archive to download, or a folder, a zip file or a cloud path to read.

    The rule says a photo's class, from its original name. A file counts if one of the patterns in `only` fits
    (``images/*.jpg``); all photos do where there is none. The hash is that of the whole archive.
    """

    place: str
    rule: LabelRule
    sha256: str = ""
    only: tuple[str, ...] = ()
    licence: str = ""
    page: str = ""


@dataclass(frozen=True)
class CollectOptions:
    """How photos are collected: a recipe says some of it, and the caller of a run any.

    Attributes
    ----------
    photos_per_class
        How many are wanted of each class for which the recipe names no number of its own.
    largest_side
        The longer side of what is stored, in pixels.
    services
        The search services, the preferred first.
    variations
        Searches that are made of each term, which stands for ``{}``.
    most
        The most photos of each class, whatever the recipe says; None is the recipe's number.
    again
        Whether to fetch again what was refused, and what was stored and is gone.
    parallel, per_host
        Requests at once, and the most of them to one host.
    seconds
        The longest time for one photo.
    sheets
        Whether to draw contact sheets.
    names_encoding
        How an archive's names are written ("gbk") where it does not say so and it cannot be told.
    """

    photos_per_class: int = 150
    largest_side: int = 640
    services: tuple[str, ...] = SERVICES
    variations: tuple[str, ...] = ("{} photo", "{}", "{} sun photo", "{} shade photo", "{} close up")
    most: int | None = None
    again: bool = False
    parallel: int = 16
    per_host: int = 4
    seconds: float = 30.0
    sheets: bool = True
    names_encoding: str = ""


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
    translations
        Title, intro and class names, a text a label, in other languages: {"es": {"title": ..., "intro": ...,
        "classes": {...}}}. The page shows them; files and answers keep the recipe's own names.
    sample
        The built-in photos that it uses, or "".
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
    translations: Mapping[str, Any] = field(default_factory=dict)
    sample: str = ""
    classes: tuple[ClassPlan, ...] = ()
    archive: FileSource | None = None
    folder: FileSource | None = None
    options: CollectOptions = field(default_factory=CollectOptions)
    photo_licence: str = "not recorded"
    train: Mapping[str, Any] = field(default_factory=dict)
    base: Path = Path()


def list_recipes() -> list[str]:
    """Return the names of the recipes that come with fastclf.

    Returns
    -------
    list of str
        Sorted.

    Examples
    --------
    >>> list_recipes()
    ['bears', 'birds', 'digits', 'pets']
    """
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

    Returns
    -------
    Recipe
        With paths as they are from the file's folder.

    Raises
    ------
    UsageError
        If there is none of that name, or its text is wrong: the message names file, line and key.

    Examples
    --------
    >>> recipe = load_recipe("bears")
    >>> recipe.title, [c.label for c in recipe.classes]
    ('Grizzly, black or teddy bear?', ['grizzly', 'black', 'teddy'])
    """
    from .recipe_file import parse_recipe

    text = str(name)
    if text in list_recipes():
        return parse_recipe((_FOLDER / f"{text}{_SUFFIX}").read_text(encoding="utf-8"), f"{text}{_SUFFIX}")
    path = Path(name).expanduser()
    if not is_recipe_file(text):
        raise UsageError(
            "There is no recipe {recipe!r}. There is: {recipes}; or name a file of your own "
            "that ends with {suffix} (`fastclf recipes new` writes one).",
            recipe=text,
            recipes=", ".join(list_recipes()),
            suffix=_SUFFIX,
        )
    return parse_recipe(_read_text(path), str(path), base=path.absolute().parent)


def _read_text(path: Path) -> str:
    if path.is_dir():
        raise UsageError(
            "The recipe {path} is no file. Name a file that ends with {suffix}.", path=path, suffix=_SUFFIX
        )
    try:
        data = read_given_file(path, _MOST_BYTES)
        # some editors of Windows write UTF-16, which begins with its mark
        text = data.decode("utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
        return text.replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as e:
        raise UsageError(
            "{path} is no text in UTF-8, line {line:d}; save it as such.",
            path=path,
            line=e.object[: e.start].count(b"\n") + 1,
        ) from None
    except OSError as e:
        raise UsageError(
            "The recipe {path} cannot be read ({reason}).", path=path, reason=e.strerror
        ) from None


def is_recipe_file(name: str) -> bool:
    """Return whether a text is meant as the path of a recipe, whether or not that exists."""
    return name.lower().endswith(_SUFFIX)


def read_template() -> str:
    """Return the text of a commented recipe to start from."""
    return (_FOLDER / "_template.toml").read_text(encoding="utf-8")
