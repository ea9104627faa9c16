"""The one tree of errors; every message is a sentence that says what to do next.

FastclfError
├── UsageError (ValueError)              the call was wrong: exit code 2
├── UnreadablePhotoError (ValueError)    this file cannot be used as a photo
├── PhotosError (ValueError)             the folder holds no usable set of photos
├── ArchiveError (ValueError)            an archive of photos is damaged, hostile or another one
├── ProjectError (ValueError)            a project or report from a browser cannot be taken in
├── SearchError (RuntimeError)           no source of photos gave any
├── CatalogError (RuntimeError)          the catalog cannot be opened, read or written
├── CheckError (RuntimeError)            a check of the photos could not be made
├── RefitError (RuntimeError)            the head could not be refitted
├── ScoreError (RuntimeError)            some photos could not be scored; the same call goes on
├── BundleError (ValueError)             this model does not open
├── ExportError (RuntimeError)           the exported model differs from the trained one
├── LearnerError (ValueError)            this exported Learner cannot become a model
├── WeightsError (RuntimeError)          pretrained weights are out of reach
├── MissingExtraError (ImportError)      an optional part is not installed
├── ServingError (RuntimeError)          the dashboard cannot start
├── InboxError (RuntimeError)            the inbox of reports cannot be opened, read or written, or is full
├── MemoryShortageError (MemoryError)    what was asked for does not fit into memory
├── AddressError (ValueError)            no photo can be had from this web address
└── StoppedError (RuntimeError)          somebody ended what was under way
"""

from __future__ import annotations

import json
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any


class Message(str):
    """An English sentence that remembers its template and fields, so that it can be said in any language.

    Without fields the template is the sentence, braces and all. Fields are written as in `str.format`, but
    for whole numbers, whose thousands are grouped ("{n:d}" leaves that out).

    Parameters
    ----------
    template
        The sentence, with a field in braces for all that is not the same each time.
    fields
        The fields by name; one that is a message itself is translated with the sentence around it.

    Examples
    --------
    >>> Message("{name} {reason}.", name="a.jpg", reason=Message("is empty"))
    'a.jpg is empty.'
    """

    template: str
    fields: Mapping[str, Any]

    def __new__(cls, template: str, /, **fields: object) -> Message:
        """Write the English sentence; a message without further fields is itself."""
        if isinstance(template, Message) and not fields:
            return template
        plain = {name: _read_field(value) for name, value in fields.items()}
        made = super().__new__(cls, _FORMATTER.vformat(template, (), plain) if plain else template)
        made.template, made.fields = template, plain
        return made

    def __reduce__(self) -> tuple[Callable[..., Message], tuple[str, Mapping[str, Any]]]:
        """Pickle the template and the fields."""
        return _build_message, (self.template, self.fields)


def count_message(n: int, one: str, many: str, /, **fields: object) -> Message:
    """Return the message for one or that for `n`, which is a field of both.

    Examples
    --------
    >>> count_message(1200, "1 photo", "{n} photos")
    '1,200 photos'
    """
    return Message(one if n == 1 else many, n=n, **fields)


def join_messages(parts: Iterable[str], separator: str = " ") -> Message:
    """Return several sentences as one message; the empty ones are left out.

    Examples
    --------
    >>> join_messages(["There are no photos.", "", Message("Add {n}.", n=3)])
    'There are no photos. Add 3.'
    """
    sentences = [Message(part) for part in parts if part]
    if len(sentences) == 1:
        return sentences[0]
    template = separator.join(f"{{part_{i}}}" for i in range(len(sentences)))
    return Message(template, **{f"part_{i}": part for i, part in enumerate(sentences)})


def pack_message(text: str) -> str:
    """Return a message as a line of text, for another process or a database; other texts stay as they are."""
    if not isinstance(text, Message) or not text.fields:
        return text
    packed = json.dumps(_flatten(text))
    return packed if len(packed) <= _LONGEST else str(text)


def unpack_message(text: str) -> Message:
    """Return what `pack_message` was given; a text that it did not make is a message without fields."""
    if text.startswith(_PACKED) and len(text) <= _LONGEST:
        try:
            return _rebuild(json.loads(text), _GROWTH * len(text))
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError):
            return Message(text)
    return Message(text)


_PACKED = '{"template":'
# Characters of a packed message, and how many times as long its sentence may be. Templates within templates
# and wide fields would make gigabytes of a few letters.
_LONGEST, _GROWTH = 10_000, 4


def _flatten(value: object) -> object:
    if isinstance(value, Message):
        return {"template": value.template, "fields": {k: _flatten(v) for k, v in value.fields.items()}}
    return value if isinstance(value, str | int | float) else str(value)


def _rebuild(packed: Mapping[str, Any], most: int) -> Message:
    fields = {k: _rebuild(v, most) if isinstance(v, dict) else v for k, v in packed["fields"].items()}
    if not isinstance(packed["template"], str):
        raise TypeError
    made = Message(packed["template"], **fields)
    if len(made) > most:
        raise ValueError
    return made


class MessageFormatter(string.Formatter):
    """Fills templates; by plain names alone, since a template may come from a file."""

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Return a field's value."""
        return kwargs[field_name], field_name

    def format_field(self, value: object, spec: str) -> str:
        """Write a value; whole numbers without a format get their thousands grouped."""
        if len(spec) > 4:
            raise ValueError(f"{spec!r} is too long.")
        whole = isinstance(value, int) and not isinstance(value, bool)
        return format(value, spec or ("," if whole else ""))


_FORMATTER = MessageFormatter()


def _read_field(value: object) -> object:
    """Return an exception's sentence: itself, it would keep its frames alive."""
    if isinstance(value, FastclfError):
        return value.message
    return str(value) if isinstance(value, BaseException) else value


def _build_message(template: str, fields: Mapping[str, Any]) -> Message:
    return Message(template, **fields)


class FastclfError(Exception):
    """Base of every error that fastclf raises on purpose.

    Parameters
    ----------
    template
        As of a `Message`, or a message.
    **fields
        As of a `Message`.

    Examples
    --------
    >>> from fastclf import FastclfError, Predictor
    >>> try:
    ...     Predictor("no-model")
    ... except FastclfError as error:
    ...     print(error)
    There is no model in no-model. Train one with `fastclf train DIR --out no-model`, or name another folder.
    """

    message: Message

    def __init__(self, template: str, /, **fields: object) -> None:
        self.message = Message(template, **fields)
        super().__init__(self.message)


class UsageError(FastclfError, ValueError):
    """The call itself was wrong; the command exits with 2."""


class UnreadablePhotoError(FastclfError, ValueError):
    """A file cannot be used as a photo.

    Parameters
    ----------
    name
        The file's name as its owner knows it.
    reason
        What is wrong, as a clause without the name ("is cut off in the middle").
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__("{name} {reason}.", name=name, reason=Message(reason))
        self.name = name
        self.reason = Message(reason)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what it was made of."""
        return type(self), (self.name, self.reason)


class PhotosError(FastclfError, ValueError):
    """A folder holds no usable set of labelled photos."""


class ArchiveError(FastclfError, ValueError):
    """An archive of photos is damaged, too large, or not the one that was meant."""


class ProjectError(FastclfError, ValueError):
    """What somebody made in a browser, a project or a report, is damaged, forged or does not fit."""


class SearchError(FastclfError, RuntimeError):
    """No source of photos could be reached, or none gave any."""


class CatalogError(FastclfError, RuntimeError):
    """The catalog of a photo folder cannot be opened, read or written."""


class CheckError(FastclfError, RuntimeError):
    """A check of the photos could not be made."""


class RefitError(FastclfError, RuntimeError):
    """The head could not be refitted."""


class ScoreError(FastclfError, RuntimeError):
    """Photos could not be scored, which the same call may do later."""


class BundleError(FastclfError, ValueError):
    """A model bundle is missing, damaged, foreign or of another version."""


class ExportError(FastclfError, RuntimeError):
    """The exported model does not answer like the trained one."""


class LearnerError(FastclfError, ValueError):
    """A Learner that somebody exported cannot be opened, or cannot become a model."""


class WeightsError(FastclfError, RuntimeError):
    """Pretrained weights cannot be loaded."""


class MissingExtraError(FastclfError, ImportError):
    """A package that only an extra brings is not installed."""


class ServingError(FastclfError, RuntimeError):
    """The dashboard's server cannot start."""


class InboxError(FastclfError, RuntimeError):
    """The inbox of visitors' reports cannot be opened, read or written, or it is full."""


class AddressError(FastclfError, ValueError):
    """No photo can be had from a web address."""


class MemoryShortageError(FastclfError, MemoryError):
    """What was asked for does not fit into memory."""


class StoppedError(FastclfError, RuntimeError):
    """Somebody ended what was under way; nothing is wrong."""


def describe_error(error: BaseException, most: int = 160) -> str:
    """Return what an error that is not ours says, on one line and short enough for a sentence."""
    words = " ".join(str(error).split())
    if len(words) > most:  # whole words, unless one is longer than that
        words = f"{words[: most - 4].rpartition(' ')[0] or words[: most - 4]} ..."
        return words
    return words.rstrip(". ") or type(error).__name__
