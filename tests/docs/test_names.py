"""The pages about Python name what is public, and each name says what it takes, gives and does."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from typing import Any, get_type_hints

import pytest
from numpydoc.docscrape import NumpyDocString

import fastclf

from .pages import REFERENCE

from reference import read_blocks  # isort: skip

PAGES = [p.read_text(encoding="utf-8") for p in sorted((REFERENCE / "python").glob("*.md"))]


def list_names(kind: str) -> list[tuple[str, str]]:
    """Return (module, name) of every name in blocks of a kind; a block begins with its module."""
    blocks = [block for page in PAGES for block in read_blocks(page, kind)]
    return [(module, name) for module, *names in blocks for name in names]


CALLED, RETURNED = list_names("names"), list_names("results")


def find(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


def read_docstring(described: Any) -> NumpyDocString:
    return NumpyDocString(inspect.getdoc(described) or "")


def list_documented(said: NumpyDocString, section: str) -> set[str]:
    """Return the names of a section's entries; several may stand on one line."""
    return {name.strip(" *") for entry in said[section] for name in (entry.name or entry.type).split(",")}


def list_parameters(described: Any) -> Iterator[str]:
    for parameter in inspect.signature(described).parameters.values():
        if parameter.name not in ("self", "cls"):
            yield parameter.name


def test_every_public_name_is_on_a_page_and_none_is_there_twice() -> None:
    every = CALLED + RETURNED
    assert len(every) == len(set(every)) > 80
    assert {name for module, name in every if module == "fastclf"} == set(fastclf.__all__) - {"__version__"}
    assert "`fastclf.__version__`" in "".join(PAGES)


@pytest.mark.parametrize("module", sorted({module for module, _ in CALLED + RETURNED}))
def test_a_name_on_a_page_is_one_that_its_room_exports(module: str) -> None:
    exported = importlib.import_module(module).__all__
    assert [name for room, name in CALLED + RETURNED if room == module and name not in exported] == []


@pytest.mark.parametrize(("module", "name"), [(m, n) for m, n in CALLED if m != "fastclf.training"])
def test_what_is_called_says_what_it_takes_gives_and_does(module: str, name: str) -> None:
    check_called(find(module, name))


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for m, n in CALLED if m == "fastclf.training"])
def test_what_trains_says_what_it_takes_gives_and_does(name: str) -> None:
    check_called(find("fastclf.training", name))


def check_called(described: Any) -> None:
    said = read_docstring(described)
    taken = list_documented(said, "Parameters") | list_documented(said, "Attributes")
    assert [name for name in list_parameters(described) if name not in taken] == []
    if inspect.isfunction(described) and inspect.signature(described).return_annotation not in ("None", None):
        assert said["Returns"], "Returns"
    assert any(">>> " in line for line in said["Examples"]), "Examples"
    assert said["Summary"][0].endswith(".")


@pytest.mark.parametrize(("module", "name"), RETURNED)
def test_what_is_returned_says_what_it_holds(module: str, name: str) -> None:
    described = find(module, name)
    said = read_docstring(described)
    bases = [read_docstring(base) for base in described.__mro__[1:-1]]
    held = {
        n
        for one in (said, *bases)
        for part in ("Attributes", "Parameters")
        for n in list_documented(one, part)
    }
    fields = getattr(described, "__dataclass_fields__", None) or get_type_hints(described)
    # what a field's own name says in the class's first sentence
    words = " ".join(said["Summary"] + said["Extended Summary"])
    missing = [
        f for f in fields if not f.startswith("_") and f not in held and f not in words and f != "more"
    ]
    assert missing == []


def test_members_of_a_class_on_a_page_are_described() -> None:
    for module, name in CALLED + RETURNED:
        described = find(module, name) if module != "fastclf.training" else None
        if inspect.isclass(described):
            own = {n: v for n, v in vars(described).items() if not n.startswith("_")}
            bare = [n for n, v in own.items() if callable(v) and not inspect.getdoc(v)]
            assert bare == [], name
