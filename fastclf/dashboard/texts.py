"""The page's words: English is the key, one catalogue holds the other languages.

As with gettext, code says what it says in English and `say` looks the sentence up. The kernel may have
been started before anybody opened a page, so the language is the page's: it is set when the page has
told its own, and what stands on the page already is said again.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import traitlets

LANGUAGES = {"en": "English", "es": "Español", "ar": "العربية"}
RIGHT_TO_LEFT = frozenset({"ar"})

_FIELD = re.compile(r"\{(\w+)\}")
# Where a message of several sentences is cut when the catalogue does not know it as one.
_BETWEEN = re.compile(r"(?<=[.!?]) (?=[A-Z0-9])")
_CLAUSES = "reasons"


class Language(traitlets.HasTraits):
    """The language that the page asked for; panels observe `code` and say their words again."""

    code = traitlets.Enum(tuple(LANGUAGES), default_value="en")


language = Language()


class Phrase(str):
    """An English text that remembers how it was made, so that `translate` says it in any language.

    State that outlives a change of the language, or that is stored in English, holds phrases.
    """

    key: str
    values: Mapping[str, object]

    def __new__(cls, key: str, values: Mapping[str, object]) -> Phrase:
        """Return the English text; phrases among the values are parts that are translated with it."""
        made = super().__new__(
            cls, _FIELD.sub(lambda m: _write(values[m[1]]) if m[1] in values else m[0], key)
        )
        made.key, made.values = key, dict(values)
        return made


def phrase(text: str, /, **values: object) -> Phrase:
    """Return what `say` would say, in English, to be translated when it is shown.

    Examples
    --------
    >>> phrase("Undone: {step}", step=phrase("Clear all"))
    'Undone: Clear all'
    """
    return Phrase(text, values)


def phrase_count(n: int, one: str, many: str, /, **values: object) -> Phrase:
    """Return the phrase for one or that for `n`."""
    return Phrase(one if n == 1 else many, {"n": n, **values})


def join_phrases(parts: Sequence[str], separator: str = " ") -> Phrase:
    """Return several phrases or sentences as one."""
    key = separator.join(f"{{{i}}}" for i in range(len(parts)))
    return Phrase(
        key, {str(i): part if isinstance(part, Phrase) else _Sentence(part) for i, part in enumerate(parts)}
    )


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


def say_count(n: int, one: str, many: str, /, **values: object) -> str:
    """Return the text for one or that for `n`; both are keys of the catalogue.

    Examples
    --------
    >>> say_count(1200, "1 photo", "{n} photos")
    '1,200 photos'
    """
    return say(one if n == 1 else many, n=n, **values)


def translate(sentence: str) -> str:
    """Return a phrase, or a finished English sentence of a room below, in the page's language.

    Those rooms know no language: an error says "holiday.jpg is cut off before its end; save or fetch it
    again." The catalogue has the sentence itself, or one whose fields match; else it stays English. What a
    field matches is a name or a figure and stays as it is, but for two: ``{clause}`` stands for every text
    of the area "reasons" that does not end with a full stop, and ``{sentence}`` for any other sentence.
    """
    if isinstance(sentence, Phrase):
        return fill(find_text(sentence.key, language.code), sentence.values)
    return _translate(sentence, language.code)


def show(value: str) -> str:
    """Return a phrase in the page's language; a name or a label stays as it is, whatever it says."""
    return translate(value) if isinstance(value, Phrase) else value


def tidy(name: str) -> str:
    """Return a name or a label without characters that are not seen: some would turn a sentence around."""
    return "".join(c for c in name if unicodedata.category(c)[0] != "C")


def fill(text: str, values: Mapping[str, object]) -> str:
    """Put values into the fields of a text, phrases in the page's language; braces inside them stay."""

    def find(match: re.Match[str]) -> str:
        value = values.get(match[1], match[0])
        if isinstance(value, Phrase | _Sentence):
            return translate(value)
        # a name in another script keeps its own order, and leaves the sentence its own
        foreign = isinstance(value, str) and match[1] in values and language.code in RIGHT_TO_LEFT
        return f"\u2068{value}\u2069" if foreign else _write(value)

    return _FIELD.sub(find, text)


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


class _Sentence(str):
    """A finished sentence among the values of a phrase."""


@lru_cache(maxsize=4096)
def _translate(sentence: str, code: str) -> str:
    if code == "en" or not sentence:
        return str(sentence)
    # an error may say several things: the longest run of sentences that is known goes first
    parts = _BETWEEN.split(sentence)
    said: list[str] = []
    start, known = 0, False
    while start < len(parts):
        ends = range(len(parts), start, -1)
        runs = ((end, _find_whole(" ".join(parts[start:end]), code)) for end in ends)
        end, found = next(((end, found) for end, found in runs if found is not None), (start + 1, None))
        said.append(parts[start] if found is None else found)
        start, known = end, known or found is not None
    # a name may look like the end of a sentence
    return " ".join(said) if known else _find_whole(sentence, code, loose=True) or sentence


def _find_whole(sentence: str, code: str, *, loose: bool = False) -> str | None:
    exact = load_catalogue().get(sentence)
    if exact:
        return exact.get(code, sentence)
    for pattern in _load_patterns(code):
        match = pattern.regex.fullmatch(sentence)
        found = match.groupdict() if match else {}
        values = (value for name, value in found.items() if name != "sentence")
        if match and (loose or not any(map(_BETWEEN.search, values))):
            return _fill_pattern(pattern, found, code)
    return None


@dataclass(frozen=True)
class _Pattern:
    """What finished sentences are held against, what to say instead, and instead of the clause in it."""

    regex: re.Pattern[str]
    text: str
    clause: str


def _fill_pattern(pattern: _Pattern, found: Mapping[str, str], code: str) -> str:
    values = {name: _translate(v, code) if name == "sentence" else v for name, v in found.items()}
    inner = {name.removeprefix("_"): value for name, value in values.items() if name.startswith("_")}
    return fill(pattern.text, {**values, "clause": fill(pattern.clause, inner)})


@lru_cache(maxsize=8)
def _load_patterns(code: str) -> list[_Pattern]:
    """Return the patterns that a language has words for; the one with the most fixed words comes first."""
    clauses = load_areas().get(_CLAUSES, {})
    clauses = {text: found for text, found in clauses.items() if not text.endswith(".") and code in found}
    found = []
    for text, texts in load_catalogue().items():
        if code in texts and _FIELD.search(text):
            inner = clauses if "{clause}" in text else {"": {code: ""}}
            found += [_build_pattern(text, texts[code], one, in_code[code]) for one, in_code in inner.items()]
    found.sort(key=lambda pair: -pair[0])
    # "{a}, {b}" would match anything
    return [pattern for words, pattern in found if words >= 2]


def _build_pattern(text: str, said: str, clause: str, clause_said: str) -> tuple[int, _Pattern]:
    parts = _FIELD.split(text)
    body = "".join(
        # a field that comes again stands for the same words again
        f"(?P={part})" if i % 2 and part in parts[1:i:2] else _escape(part, i, clause)
        for i, part in enumerate(parts)
    )
    words = _FIELD.sub(" ", text.replace("{clause}", _FIELD.sub(" ", clause))).split()
    fixed = sum(any(map(str.isalpha, word)) for word in words)
    return fixed, _Pattern(re.compile(body, re.DOTALL), said, clause_said)


def _escape(part: str, i: int, clause: str) -> str:
    """Return a part of a pattern: even ones are words, odd ones the names of fields."""
    if i % 2 == 0:
        return re.escape(part)
    if part != "clause":
        return f"(?P<{part}>.+?)"
    # the fields of the clause must not meet those of the sentence around it
    return "".join(f"(?P<_{p}>.+?)" if k % 2 else re.escape(p) for k, p in enumerate(_FIELD.split(clause)))


def _write(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
