"""What every finding of a kind looks like, by which a made-up one is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .kinds import Finding

IsRight = Callable[[Any], bool]

# beyond it floats skip whole numbers
_LARGEST = 2**53


@dataclass(frozen=True)
class FindingForm:
    """What every finding of a kind looks like.

    Attributes
    ----------
    names
        The facts that name its photos or its class, as functions of the finding; they say how many
        files it has, too: one of `ABOUT_PHOTO`, `ABOUT_COPIES` and `ABOUT_CLASS`.
    facts
        {name of a further fact: whether a value of it is right}; of a list, it has one value for each file.
    """

    names: Mapping[str, Callable[[Finding], object]]
    facts: Mapping[str, IsRight] = field(default_factory=dict)

    def fits(self, finding: Finding) -> bool:
        """Tell whether a finding, its facts as JSON holds them, is one that this kind makes."""
        return (
            self._has_names(finding)
            and finding.facts.keys() == self.names.keys() | self.facts.keys()
            and all(finding.facts[name] == find(finding) for name, find in self.names.items())
            and all(self._is_right(finding, name) for name in self.facts)
            and finding.suggested == finding.facts.get("suggested")
            and is_share(finding.score)
        )

    def _has_names(self, finding: Finding) -> bool:
        n = len(finding.files)
        is_counted = n == 0 if "label" in self.names else n == 1 if "file" in self.names else n > 1
        return is_counted and len(set(finding.files)) == n and len(finding.labels) == max(n, 1)

    def _is_right(self, finding: Finding, name: str) -> bool:
        value = finding.facts[name]
        is_fit = not isinstance(value, list) or len(value) == len(finding.files)
        return is_fit and self.facts[name](value)


ABOUT_PHOTO: Mapping[str, Callable[[Finding], object]] = {"file": lambda finding: finding.files[0]}
ABOUT_CLASS: Mapping[str, Callable[[Finding], object]] = {"label": lambda finding: finding.labels[0]}
ABOUT_COPIES: Mapping[str, Callable[[Finding], object]] = {
    "files": lambda finding: list(finding.files),
    "best": lambda finding: finding.files[0],
}


def is_text(value: object) -> bool:
    """Tell whether it is a text that can be written as UTF-8."""
    return isinstance(value, str) and (value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value))


def is_number(value: object) -> bool:
    """Tell whether it is a number that can be counted with: finite, no truth value."""
    return type(value) in (int, float) and -_LARGEST <= value <= _LARGEST  # type: ignore[operator]


def is_count(value: object) -> bool:
    """Tell whether it is a whole number from 0 on."""
    return type(value) is int and 0 <= value <= _LARGEST


def is_share(value: object) -> bool:
    """Tell whether it is a number in [0, 1]."""
    return is_number(value) and 0 <= value <= 1  # type: ignore[operator]


def is_list_of(is_right: IsRight) -> IsRight:
    """Return what tells whether something is a list of values that are right."""
    return lambda value: isinstance(value, list) and all(map(is_right, value))


def is_one_of(*allowed: object) -> IsRight:
    """Return what tells whether something is one of these values, of their type."""
    return lambda value: any(type(value) is type(one) and value == one for one in allowed)
