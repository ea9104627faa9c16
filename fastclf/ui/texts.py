"""The page's words: English is the key, one catalogue holds the other languages.

As with gettext, code says what it says in English and `say` looks the sentence up. The kernel may have
been started before anybody opened a page, so the language is the page's: it is set when the page has
told its own, and what stands on the page already is said again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

import traitlets

LANGUAGES = ("en", "es", "ar")
RIGHT_TO_LEFT = frozenset({"ar"})

_FIELD = re.compile(r"\{(\w+)\}")


class Language(traitlets.HasTraits):
    """The language that the page asked for; panels observe `code` and say their words again."""

    code = traitlets.Enum(LANGUAGES, default_value="en")


language = Language()


def say(text: str, /, **values: object) -> str:
    """Return a text in the page's language.

    Parameters
    ----------
    text
        The English text, a key of the catalogue, with fields like ``{n}``.
    values
        What to put into the fields; whole numbers get the language-neutral grouping of thousands.

    Examples
    --------
    >>> say("Clear all")
    'Clear all'
    """
    return fill(find_text(text, language.code), values)


def say_count(n: int, one: str, many: str) -> str:
    """Return the text for one or that for `n`; both are keys of the catalogue.

    Examples
    --------
    >>> say_count(1200, "1 photo", "{n} photos")
    '1,200 photos'
    """
    return say(one if n == 1 else many, n=n)


def translate(sentence: str) -> str:
    """Return a finished English sentence of a room below in the page's language, where the catalogue can.

    Those rooms know no language: an error says "holiday.jpg is cut off before its end; save or fetch it
    again." The catalogue has the sentence itself, or one whose fields match; else it stays English.
    """
    return _translate(sentence, language.code)


def fill(text: str, values: Mapping[str, object]) -> str:
    """Put values into the fields of a text; braces inside the values stay as they are."""
    return _FIELD.sub(lambda m: _write(values[m[1]]) if m[1] in values else m[0], text)


def find_text(text: str, code: str) -> str:
    """Return the catalogue's text in a language; the English one where it is not in the catalogue."""
    return load_catalogue().get(text, {}).get(code, text)


@lru_cache(maxsize=1)
def load_catalogue() -> dict[str, dict[str, str]]:
    """Return {English text: {language: text}}."""
    file = resources.files("fastclf.ui") / "static" / "texts.json"
    areas: dict[str, dict[str, dict[str, str]]] = json.loads(file.read_text(encoding="utf-8"))
    return {text: found for area in areas.values() for text, found in area.items()}


def select_texts(script: str, code: str) -> dict[str, str]:
    """Return what a script says, {English: text}, in a language; nothing for English.

    Parameters
    ----------
    script
        JavaScript whose words stand as ``t("...")``.
    code
        The language.
    """
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


@lru_cache(maxsize=4096)
def _translate(sentence: str, code: str) -> str:
    if code == "en" or not sentence:
        return sentence
    exact = load_catalogue().get(sentence)
    if exact:
        return exact.get(code, sentence)
    for pattern, texts in _load_patterns():
        if match := pattern.fullmatch(sentence):
            parts: dict[str, Any] = {k: _translate(v, code) for k, v in match.groupdict().items()}
            return fill(texts.get(code, sentence), parts)
    return sentence


@lru_cache(maxsize=1)
def _load_patterns() -> list[tuple[re.Pattern[str], dict[str, str]]]:
    """Return what finished sentences are held against; the one with the most fixed words comes first."""
    found = []
    for text, texts in load_catalogue().items():
        if _FIELD.search(text):
            parts = _FIELD.split(text)
            # a field that comes again stands for the same words again
            body = "".join(
                re.escape(p) if i % 2 == 0 else f"(?P={p})" if p in parts[1:i:2] else f"(?P<{p}>.+?)"
                for i, p in enumerate(parts)
            )
            if len(_FIELD.sub("", text).split()) >= 2:  # "{a}, {b}" would match anything
                found.append((len(_FIELD.sub("", text)), re.compile(body, re.DOTALL), texts))
    found.sort(key=lambda entry: -entry[0])
    return [(pattern, texts) for _, pattern, texts in found]


def _write(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
