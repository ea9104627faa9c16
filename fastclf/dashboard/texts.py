"""The page's words: English is the key, one catalogue holds the other languages.

As with gettext, code says what it says in English, and the catalogue is asked for the template of the
message; what the rooms below say is a `Message` as well. The kernel may have been started before anybody
opened a page, so the language is the page's: it is set when the page has told its own, and what stands on
the page already is said again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from importlib import resources
from typing import Any

import traitlets

from ..errors import Message, MessageFormatter

# the fields of messages that hold a class
_CLASS_FIELDS = frozenset({"label", "answer", "suggested", "old", "new"})
LANGUAGES = {"en": "English", "es": "Español", "ar": "العربية"}
RIGHT_TO_LEFT = frozenset({"ar"})
# languages that part thousands by a thin space, from five digits on: a comma would be read as a decimal one
_SPACED = frozenset({"es"})
_THIN = "\N{NARROW NO-BREAK SPACE}"


class Language(traitlets.HasTraits):
    """The language that the page asked for; panels observe `code` and say their words again."""

    code = traitlets.Enum(tuple(LANGUAGES), default_value="en")
    # the maker's own texts: title, intro and class names by language, as in `Manifest.translations`
    maker = traitlets.Dict()


language = Language()


@contextmanager
def speaking(code: str, maker: Mapping[str, object]) -> Iterator[None]:
    """Say everything in a language, with a maker's own texts, until the end of the block."""
    before = language.code, language.maker
    language.code, language.maker = code, dict(maker)
    try:
        yield
    finally:
        language.code, language.maker = before


def say(text: str, /, **values: object) -> str:
    """Return a text, a key of the catalogue, with its fields filled in, in the page's language.

    Examples
    --------
    >>> say("{n} photos", n=1200)
    '1,200 photos'
    """
    return translate(Message(text, **values))


def say_count(n: int, one: str, many: str, /, **values: object) -> str:
    """Return the text for one or that for `n`; both are keys of the catalogue."""
    return say(one if n == 1 else many, n=n, **values)


def translate(text: str) -> str:
    """Return a message in the page's language; what the catalogue does not know stays English.

    Fields that are messages are translated with it; names and figures stay as they are. A text that is no
    message is looked up as a whole.
    """
    if not text or (language.code == "en" and "en" not in language.maker):
        return str(text)
    if not isinstance(text, Message) or not text.fields:
        return find_text(str(text), language.code)
    return _SPEAKER.vformat(find_text(text.template, language.code), (), text.fields)


def show(value: str) -> str:
    """Return a message in the page's language; a name or a label stays as it is, whatever it says."""
    return translate(value) if isinstance(value, Message) else value


def find_maker_text(name: str) -> str:
    """Return the maker's title or intro in the page's language, or ""."""
    found = _find_maker_texts().get(name)
    return found.strip() if isinstance(found, str) else ""


class ShownClass(str):
    """A class as the page calls it; in a message it is not looked up once more."""


def name_class(label: str, tidy: Callable[[str], str] = str) -> ShownClass:
    """Return what the page calls a class in its language; files and answers keep the model's own name."""
    if isinstance(label, ShownClass):
        return label
    names = _find_maker_texts().get("classes")
    found = names.get(label) if isinstance(names, dict) else None
    return ShownClass(tidy(found if isinstance(found, str) and found.strip() else label))


def name_classes(labels: Iterable[str]) -> dict[str, str]:
    """Return {class: what the page calls it} where that differs."""
    return {label: name for label in labels if (name := name_class(label)) != label}


def _find_maker_texts() -> dict[str, object]:
    found = language.maker.get(language.code)
    return found if isinstance(found, dict) else {}


class _Speaker(MessageFormatter):
    """Fills translated templates; a name in another script keeps its own order in the sentence."""

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Return a field's value, of a class what the page calls it."""
        value = kwargs[field_name]
        is_class = field_name in _CLASS_FIELDS and isinstance(value, str) and not isinstance(value, Message)
        return name_class(value) if is_class else value, field_name

    def format_field(self, value: object, spec: str) -> str:
        if isinstance(value, Message):
            return translate(value)
        said = super().format_field(value, spec)
        if isinstance(value, int | float):
            return _group(said)
        return f"\u2068{said}\u2069" if language.code in RIGHT_TO_LEFT else said


_SPEAKER = _Speaker()


def write_count(n: int) -> str:
    """Return a whole number with its thousands grouped as the page's language does.

    Examples
    --------
    >>> write_count(12000)
    '12,000'
    """
    return _group(f"{n:,}")


def _group(number: str) -> str:
    """Return a number that is grouped with commas as the page's language groups it."""
    if language.code not in _SPACED:
        return number
    whole = number.partition(".")[0].lstrip("+-")
    return number.replace(",", "" if len(whole) == len("1,000") else _THIN)


def find_text(text: str, code: str) -> str:
    """Return the catalogue's text in a language; the English one where it is not in the catalogue."""
    return load_catalogue().get(text, {}).get(code, text)


@lru_cache(maxsize=1)
def load_catalogue() -> dict[str, dict[str, str]]:
    """Return {English text: {language: text}}."""
    return {text: found for area in load_areas().values() for text, found in area.items()}


@lru_cache(maxsize=1)
def load_areas() -> dict[str, dict[str, dict[str, str]]]:
    """Return {area: {English text: {language: text}}}."""
    file = resources.files("fastclf.dashboard") / "texts.json"
    areas: dict[str, dict[str, dict[str, str]]] = json.loads(file.read_text(encoding="utf-8"))
    return areas


def select_texts(script: str, code: str) -> dict[str, str]:
    """Return what a script says as ``t("...")``, {English: text}, in a language; nothing for English."""
    if code == "en":
        return {}
    return {text: find_text(text, code) for text in find_script_texts(script)}


@lru_cache(maxsize=32)
def find_script_texts(script: str) -> tuple[str, ...]:
    """Return the literal first arguments of ``t("...")`` and both of ``tn(n, "...", "...")`` in a script."""
    literal = r'"((?:[^"\\\n]|\\.)*)"'
    found = re.findall(rf"\bt\(\s*{literal}", script)
    for pair in re.findall(rf"\btn\(\s*[^\"\n]+?,\s*{literal},\s*{literal}", script):
        found += pair
    return tuple(dict.fromkeys(json.loads(f'"{text}"') for text in found))
