"""From a recipe's text to a `Recipe`; an error names file, line and key."""

from __future__ import annotations

import contextlib
import math
import re
import tomllib
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from ...errors import Message, UsageError
from ..label_table import read_labels
from ..labelling import LabelRule, is_class_name
from ..samples import SAMPLES
from ..services import SERVICES
from .recipe import ClassPlan, CollectOptions, FileSource, Recipe
from .toml_advice import explain_toml

_WORDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", dict: "a table"}
_TEXTS = (str, list)
_TOP: dict[str, Any] = {
    "name": str, "title": str, "intro": str, "colour": str, "sample": str, "photo_licence": str,
    "classes": dict, "archive": dict, "folder": dict, "collect": dict, "train": dict,
}  # fmt: skip
_CLASS: dict[str, Any] = {"search": _TEXTS, "urls": str, "photos": int}
_FILES: dict[str, Any] = {"licence": str, "page": str, "only": _TEXTS, "label": dict}
_ARCHIVE: dict[str, Any] = {"url": str, "sha256": str, **_FILES}
_FOLDER: dict[str, Any] = {"path": str, **_FILES}
_LABEL: dict[str, Any] = {
    "by": str, "upper": str, "lower": str, "pattern": str, "names": dict,
    "table": str, "file": str, "label": str,
}  # fmt: skip
_COLLECT: dict[str, Any] = {
    "photos_per_class": int, "largest_side": int, "services": _TEXTS, "variations": _TEXTS,
}  # fmt: skip
_TRAIN: dict[str, Any] = {
    "arch": str, "size": int, "resize": str, "augment": str, "balance": str, "epochs": int,
    "batch_size": int, "lr": float, "seed": int, "split_by": str, "pretrained": bool, "mode": str,
    "patience": int,
}  # fmt: skip
_TRANSLATION: dict[str, Any] = {"title": str, "intro": str, "classes": dict}
_PLAIN = [key for key, kind in _TOP.items() if kind is str]
_SOURCES = ("sample", "classes", "archive", "folder")
_PART = r"""(?:[\w-]+|"[^"]*"|'[^']*')"""
_KEY = re.compile(rf"\s*({_PART}(?:\s*\.\s*{_PART})*)\s*=")
# The name of a table of translations: a language.
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,63}")


def parse_recipe(text: str, file: str, base: Path | None = None) -> Recipe:
    """Read a recipe's text, whose relative paths start from `base`, by default the working directory.

    Raises
    ------
    UsageError
        The message names file, line and key.
    """
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as e:
        line, reason = explain_toml(text, e)
        at = Message(", line {line:d}", line=line) if line else ""
        raise UsageError("{file} is not valid TOML{at}: {reason}.", file=file, at=at, reason=reason) from None
    return _Reader(text, file, base or Path()).read(values)


class _Reader:
    """Checks the values of one recipe."""

    def __init__(self, text: str, file: str, base: Path) -> None:
        self.text, self.file, self.base = text, file, base

    def read(self, values: dict[str, Any]) -> Recipe:
        codes = [key for key, value in values.items() if _LANGUAGE.fullmatch(key) and isinstance(value, dict)]
        translations = {code: self.read_translation(values[code], code) for code in codes}
        values = {key: value for key, value in values.items() if key not in codes}
        self.check_top(values)
        return Recipe(
            translations=translations,
            **{key: values[key] for key in _PLAIN if key in values},
            classes=self.read_classes(values.get("classes", {})),
            archive=self.read_files(values, "archive", "url", _ARCHIVE),
            folder=self.read_files(values, "folder", "path", _FOLDER),
            options=self.read_options(values.get("collect", {})),
            train=self.read_train(values.get("train", {})),
            base=self.base,
        )

    def check_top(self, values: dict[str, Any]) -> None:
        self.check(values, _TOP, ())
        for key in ("name", "title"):
            if key not in values:
                self.fail((), f"lacks the key {key!r}")
        if not _NAME.fullmatch(values["name"]):
            self.fail(("name",), f"is {values['name']!r}; letters, digits, - and _ make a name")
        sources = [key for key in _SOURCES if key in values]
        if len(sources) != 1:
            found = f"has {' and '.join(sources)}" if sources else "says nothing of where photos come from"
            self.fail((), f"{found}; it takes one of [classes], [archive], [folder] and sample")
        if "sample" in values and values["sample"] not in SAMPLES:
            self.fail(("sample",), f"is {values['sample']!r}; it can be {', '.join(SAMPLES)}")

    def read_translation(self, table: dict[str, Any], code: str) -> dict[str, Any]:
        self.check(table, _TRANSLATION, (code,))
        for label, name in table.get("classes", {}).items():
            if not isinstance(name, str) or not name.strip() or not name.isprintable():
                self.fail((code, "classes", label), f"is {name!r}; it must be a text that is not empty")
        return table

    def read_classes(self, classes: dict[str, Any]) -> tuple[ClassPlan, ...]:
        if len(classes) == 1:
            self.fail(("classes", *classes), "is the only class; a classifier needs two")
        seen: dict[str, str] = {}
        for label in classes:
            # on many disks these are one folder
            twin = seen.setdefault(unicodedata.normalize("NFC", label).casefold(), label)
            if twin != label:
                self.fail(("classes", label), f"and {twin} would be one folder on many disks; rename one")
        return tuple(self.read_class(label, value) for label, value in classes.items())

    def read_class(self, label: str, value: Any) -> ClassPlan:
        keys = ("classes", label)
        if not is_class_name(label):
            self.fail(
                keys,
                "cannot be the name of a folder; leave out / \\ : * ?, leading dots and blanks at its ends",
            )
        if not isinstance(value, dict):
            value = {"search": value}
        self.check(value, _CLASS, keys)
        terms = self.read_texts(value, "search", keys)
        urls = value.get("urls", "")
        if not terms and not urls:
            self.fail(keys, "says neither what to search for nor a file with urls")
        if urls and not _is_file(self.find(urls)):
            self.fail((*keys, "urls"), f"names {urls}, and there is no such file beside the recipe")
        photos = value.get("photos")
        if photos is not None:
            self.check_range(photos, 1, 100_000, (*keys, "photos"))
        return ClassPlan(label, terms, str(self.find(urls)) if urls else "", photos)

    def read_files(
        self, values: dict[str, Any], key: str, place: str, allowed: dict[str, Any]
    ) -> FileSource | None:
        if key not in values:
            return None
        table = values[key]
        self.check(table, allowed, (key,))
        if not table.get(place):
            self.fail((key,), f"lacks the key {place!r}")
        sha256 = str(table.get("sha256", "")).lower()
        if sha256 and not re.fullmatch(r"[0-9a-f]{64}", sha256):
            self.fail((key, "sha256"), "is no sha256, which has 64 digits from 0 to f")
        rule = self.read_rule(table.get("label", {}), (key, "label"))
        only = self.read_texts(table, "only", (key,))
        licence, page = table.get("licence", values.get("photo_licence", "")), table.get("page", "")
        return FileSource(table[place], rule, sha256=sha256, only=only, licence=licence, page=page)

    def read_rule(self, table: dict[str, Any], keys: tuple[str, ...]) -> LabelRule:
        self.check(table, _LABEL, keys)
        names = table.get("names", {})
        for name, label in names.items():
            if not isinstance(label, str) or not is_class_name(label):
                self.fail((*keys, "names", name), f"is {label!r}, which cannot be the name of a folder")
        try:
            return LabelRule(**{**self.read_label_table(table), "names": names})
        except UsageError as e:
            self.fail(keys, f"is wrong: {str(e).rstrip('.')}")

    def read_label_table(self, rule: dict[str, Any]) -> dict[str, Any]:
        """Return a rule with the labels of its table in place of where that lies."""
        keys = ("table", "file", "label")
        left = {key: value for key, value in rule.items() if key not in keys}
        given = {key: rule[key] for key in keys if key in rule}
        if rule.get("by") != "table":
            if given:
                raise UsageError('{key} belongs to by = "table"', key=next(iter(given)))
            return left
        if "table" not in given:
            raise UsageError('by is table, which needs table = "labels.csv"')
        place = self.base / Path(given.pop("table")).expanduser()
        return {**left, "labels": read_labels(place, **given)}

    def read_options(self, table: dict[str, Any]) -> CollectOptions:
        self.check(table, _COLLECT, ("collect",))
        ranges = {"photos_per_class": (1, 100_000), "largest_side": (32, 8192)}
        for key, (low, high) in ranges.items():
            if key in table:
                self.check_range(table[key], low, high, ("collect", key))
        given: dict[str, Any] = {key: table[key] for key in ranges if key in table}
        for key in ("services", "variations"):
            if key in table:
                given[key] = self.read_texts(table, key, ("collect",))
                if not given[key]:
                    self.fail(("collect", key), "is empty; name at least one, or leave the key out")
        for service in given.get("services", ()):
            if service not in SERVICES:
                self.fail(("collect", "services"), f"names {service!r}; known are {', '.join(SERVICES)}")
        for variation in given.get("variations", ()):
            if "{}" not in variation:
                self.fail(
                    ("collect", "variations"), f"holds {variation!r}, which lacks the {{}} for the term"
                )
        return CollectOptions(**given)

    def read_train(self, table: dict[str, Any]) -> dict[str, Any]:
        self.check(table, _TRAIN, ("train",))
        split_by = table.get("split_by", "folder")
        return table if split_by == "folder" else {**table, "split_by": str(self.find(split_by))}

    def read_texts(self, table: Mapping[str, Any], key: str, keys: tuple[str, ...]) -> tuple[str, ...]:
        value = table.get(key, [])
        texts = [value] if isinstance(value, str) else value
        if not all(isinstance(text, str) and text.strip() and text.isprintable() for text in texts):
            self.fail((*keys, key), f"is {value!r}; it must be a text or a list of texts, none of them empty")
        return tuple(texts)

    def find(self, path: str) -> Path:
        with contextlib.suppress(RuntimeError):  # "~nobody" is a name like others
            return self.base / Path(path).expanduser()
        return self.base / path

    def check(self, values: Mapping[str, Any], allowed: Mapping[str, Any], keys: tuple[str, ...]) -> None:
        for key, value in values.items():
            if key not in allowed:
                self.fail(
                    (*keys, key), f"is unknown; known {'here ' if keys else ''}are {', '.join(allowed)}"
                )
            kinds = allowed[key] if isinstance(allowed[key], tuple) else (allowed[key],)
            if kinds == (float,):
                kinds = (float, int)
            if isinstance(value, str) and not value.isprintable():
                self.fail((*keys, key), f"is {value!r}; {self.advise_on_signs((*keys, key))}")
            if isinstance(value, float) and not math.isfinite(value):
                self.fail((*keys, key), f"is {value}; it must be a finite number")
            if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
                what = "a text or a list of texts" if kinds == _TEXTS else _WORDS[allowed[key]]
                self.fail((*keys, key), f"is {value!r}; it must be {what}")

    def advise_on_signs(self, keys: tuple[str, ...]) -> str:
        """Say what to do about a text with signs that cannot be printed: most come of a Windows path."""
        line = find_line(self.text, keys)
        source = self.text.splitlines()[line - 1] if line else ""
        if re.search(r"[A-Za-z]:\\|\\\\", source):
            return "in double quotes a \\ begins a special sign, so write it in single quotes"
        return "leave out what cannot be printed"

    def check_range(self, value: int, low: int, high: int, keys: tuple[str, ...]) -> None:
        if not low <= value <= high:
            self.fail(keys, f"is {value}; it can be {low:,} to {high:,}")

    def fail(self, keys: tuple[str, ...], what: str) -> NoReturn:
        line = find_line(self.text, keys)
        where = f"{self.file}, line {line}" if line else self.file
        at = f": {'.'.join(keys)}" if keys else ""
        raise UsageError("{where}{at} {what}.", where=where, at=at, what=what)


def _is_file(path: Path) -> bool:
    """Return whether there is such a file; a name that no disk takes is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def find_line(text: str, keys: tuple[str, ...]) -> int | None:
    """Return the line, counted from 1, on which a key of sound TOML stands, or the nearest above it."""
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\[?([^\[\]]+)\]", line):
            table = _split_key(header[1])
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            found.setdefault((*table, *_split_key(key[1])), number)
    for length in range(len(keys), 0, -1):
        if keys[:length] in found:
            return found[keys[:length]]
    return None


def _split_key(text: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_PART, text))
