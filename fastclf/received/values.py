"""JSON that a stranger wrote, read strictly: one value after the other, each of the kind it has to have."""

from __future__ import annotations

import base64
import binascii
import json
import math
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from ..errors import ProjectError


class Values:
    """An object of a JSON file, of which one takes what has to be there.

    Parameters
    ----------
    values
        What was read.
    file
        The file's name, for an error.
    at
        Where in the file it stands: "head." for example.

    Raises
    ------
    ProjectError
        By every method, where a value is missing or is none that is allowed.
    """

    def __init__(self, values: object, file: str, at: str = "") -> None:
        self._file, self._at = file, at
        if not isinstance(values, Mapping):
            self.refuse(at.rstrip(".") or "all of it", values, "an object")
        self._values: Mapping[str, Any] = values

    def refuse(self, name: str, value: object, allowed: str) -> NoReturn:
        """Refuse a value, by its full name."""
        shown = repr(value)
        raise ProjectError(
            "{file}: {name} is {value}; it must be {allowed}. Save the project again.",
            file=self._file,
            name=name,
            value=shown if len(shown) < 60 else f"{shown[:50]} ...",
            allowed=allowed,
        )

    def get(self, name: str) -> Any:
        """Return a value as it stands, None where it is missing."""
        return self._values.get(name)

    def text(self, name: str, most: int, *, least: int = 0) -> str:
        """Return a text of so many characters, without control characters."""
        value = self.get(name)
        if not is_text(value, least, most):
            self.refuse(self._at + name, value, f"a text of {least} to {most} characters")
        return str(value)

    def choice(self, name: str, options: Sequence[str]) -> str:
        """Return one of some texts."""
        value = self.get(name)
        if value not in options:
            self.refuse(self._at + name, value, " or ".join(options))
        return str(value)

    def whole(self, name: str, least: int, most: int) -> int:
        """Return a whole number of a range."""
        value = self.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.refuse(self._at + name, value, f"a whole number, {least:,} to {most:,}")
        return int(value)

    def real(self, name: str, least: float, most: float) -> float:
        """Return a finite number of a range."""
        value = self.get(name)
        if not is_real(value) or not least <= value <= most:
            self.refuse(self._at + name, value, f"a number, {least:g} to {most:g}")
        return float(value)

    def items(self, name: str, least: int, most: int) -> list[Any]:
        """Return a list of so many."""
        value = self.get(name)
        if not isinstance(value, list) or not least <= len(value) <= most:
            self.refuse(self._at + name, value, f"a list of {least:,} to {most:,}")
        return list(value)

    def inner(self, name: str) -> Values:
        """Return the object of that name."""
        return Values(self.get(name), self._file, f"{self._at}{name}.")

    def objects(self, name: str, least: int, most: int) -> list[Values]:
        """Return a list of so many objects."""
        found = self.items(name, least, most)
        return [Values(one, self._file, f"{self._at}{name}[{n}].") for n, one in enumerate(found)]

    def numbers(self, name: str, count: int) -> npt.NDArray[np.float64]:
        """Return a list of so many finite numbers."""
        found = self.items(name, count, count)
        if not all(is_real(one) for one in found):
            self.refuse(self._at + name, found, f"{count} finite numbers")
        return np.array(found, np.float64)

    def floats(self, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
        """Return an array out of the base64 of its float32 numbers, lowest byte first."""
        value, count = self.get(name), math.prod(shape)
        allowed = f"the base64 of {count:,} finite float32 numbers"
        if not isinstance(value, str) or len(value) != 4 * -(-4 * count // 3):
            self.refuse(self._at + name, value, allowed)
        try:
            data = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            self.refuse(self._at + name, value, allowed)
        found = np.frombuffer(data, "<f4") if len(data) == 4 * count else np.array([np.nan], "<f4")
        if not np.isfinite(found).all():
            self.refuse(self._at + name, value, allowed)
        return found.reshape(shape).astype(np.float32)


def parse_json(data: bytes, file: str, called: str) -> Values:
    """Read a JSON file of an object: UTF-8, no name twice, no NaN.

    Parameters
    ----------
    data
        The bytes.
    file
        Its name.
    called
        What to call the whole that it came in, for an error.

    Raises
    ------
    ProjectError
        If it is none.
    """
    try:
        found = json.loads(
            data.decode("utf-8-sig"), parse_constant=_refuse_constant, object_pairs_hook=_build_object
        )
    except (ValueError, RecursionError):
        raise ProjectError(
            "{called} is damaged: its {file} cannot be read. Save the project again.",
            called=called,
            file=file,
        ) from None
    return Values(found, file)


def is_text(value: object, least: int, most: int) -> bool:
    """Return whether a value is a text of so many characters that can all be shown."""
    if not isinstance(value, str) or not least <= len(value) <= most:
        return False
    return not any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in value)


def is_real(value: object) -> bool:
    """Return whether a value is a finite number that a float holds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 1e300 and math.isfinite(value)


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(word)


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found
