"""Labels out of names: the rules that say which class a file of a folder or an archive belongs to."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import UsageError
from .bounded_pattern import open_pattern

WAYS = ("folder", "case", "pattern", "table")
MAX_CLASS_NAME = 100
# Where a file system counts bytes, 255 is what a folder's name may have.
_MAX_CLASS_BYTES = 255
# A pattern is searched in no longer name, so that none takes long.
_MAX_NAME = 500
# Not on Windows, and U+FFFD stands for what could not be read.
_BARRED = frozenset('<>:"/\\|?*\ufffd')
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)")


@dataclass(frozen=True)
class LabelRule:
    r"""How the name of a file says its class.

    Attributes
    ----------
    by
        "folder": the folder above the file. "case": the first letter of the file's name; an upper case one
        means `upper` and a lower case one `lower`, as in the Oxford-IIIT pets. "pattern": the first group of
        a regular expression. "table": what `labels` says of the file.
    upper, lower
        The two labels of "case".
    pattern
        Searched in the file's name without its folders: ``^(.+)_\d+\.jpg$``.
    labels
        {file: label} of "table"; a file is named by its path, the end of its path, or without its suffix.
    names
        Other labels for those that were found; one that is not named here stays.

    Raises
    ------
    UsageError
        If the rule cannot work. The message names the key.
    """

    by: str = "folder"
    upper: str = ""
    lower: str = ""
    pattern: str = ""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False, repr=False)
    names: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.by not in WAYS:
            raise UsageError("by is {by!r}; it can be {ways}.", by=self.by, ways=", ".join(WAYS))
        if self.by == "case":
            _check_label("upper", self.upper)
            _check_label("lower", self.lower)
        if self.by == "pattern":
            _check_pattern(self.pattern)
        for name, label in self.names.items():
            _check_label(f"names.{name}", label)
        object.__setattr__(self, "labels", {_tidy(n): label for n, label in self.labels.items()})
        object.__setattr__(self, "names", {_tidy(n): _tidy(label) for n, label in self.names.items()})

    def find_label(self, name: str) -> str | None:
        """Return the label of a file by its path inside the source; None where that says no class.

        Examples
        --------
        >>> LabelRule(by="case", upper="cat", lower="dog").find_label("images/Abyssinian_1.jpg")
        'cat'
        >>> LabelRule(by="pattern", pattern=r"^(.+)_\\d+", names={"pug": "dog"}).find_label("pug_7.jpg")
        'dog'
        """
        if len(name) > _MAX_NAME:
            return None
        found = _tidy(self._read(name) or "")
        label = self.names.get(found, found)
        return label if is_class_name(label) else None

    def _read(self, name: str) -> str | None:
        folders, _, file = name.rpartition("/")
        if self.by == "folder":
            return folders.rpartition("/")[2]
        if self.by == "table":
            return self._look_up(name)
        if self.by == "pattern":
            return open_pattern(self.pattern).find(file)
        letter = next((c for c in file.rpartition(".")[0] or file if c.isalpha()), "")
        return self.upper if letter.isupper() else self.lower if letter.islower() else None

    def _look_up(self, name: str) -> str | None:
        parts = _tidy(name).split("/")
        ends = ["/".join(parts[start:]) for start in range(len(parts))]
        # by its whole path first; ids without a suffix come last
        tried = (end for ends_ in (ends, [end.rpartition(".")[0] for end in ends]) for end in ends_)
        return next((self.labels[end] for end in tried if end in self.labels), None)


def is_class_name(text: str) -> bool:
    """Return whether a text can be the name of a class folder on every system.

    Examples
    --------
    >>> [is_class_name(text) for text in ("black bear", "../bear", ".bear", "bear?", "")]
    [True, False, False, False, False]
    """
    return (
        0 < len(text) <= MAX_CLASS_NAME
        and text == text.strip()
        and not text.startswith(".")
        and not text.endswith(".")
        and not _BARRED & set(text)
        and not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in text)
        and not _DEVICES.match(text)
        and len(text.encode()) <= _MAX_CLASS_BYTES
    )


def _tidy(label: str) -> str:
    """Return a label in one spelling: macOS takes the umlauts of file names apart, others do not."""
    return unicodedata.normalize("NFC", label).strip()


def _check_label(key: str, label: str) -> None:
    if not is_class_name(_tidy(label)):
        raise UsageError(
            "{key} is {label!r}; it must be a label that can be the name of a folder.", key=key, label=label
        )


def _check_pattern(pattern: str) -> None:
    if not open_pattern(pattern).groups:
        raise UsageError(
            "pattern is {pattern!r}: it has no group. Put round brackets around the label, as in ^(.+)_\\d+.",
            pattern=pattern,
        )
