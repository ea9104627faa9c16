"""The settings of a server: each may stand in `fastclf.toml`, in the environment, or behind a flag."""

from __future__ import annotations

import os
import tomllib
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import ServingError
from ..system import expand_home, read_given_file

SETTINGS_FILE = "fastclf.toml"
_MOST_BYTES = 2**16

Kind = Literal["text", "path", "whole number", "true or false", "list of texts"]
_TYPES: dict[str, type] = {
    "text": str, "path": str, "whole number": int, "true or false": bool, "list of texts": list,
}  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """One of them: its name in the file and as a flag, its variable, and what it takes."""

    name: str
    kind: Kind = "text"

    @property
    def variable(self) -> str:
        """The name of its environment variable."""
        return "FASTCLF_" + self.name.upper().replace("-", "_")

    def write(self, value: Any, folder: Path) -> str:
        """Return a value of the file as the environment has it; paths begin at the file's folder."""
        fits = isinstance(value, _TYPES[self.kind]) and (self.kind == "true or false" or value is not True)
        if (
            not fits
            or "\0" in "".join(map(str, value if isinstance(value, list) else [value]))
            or (self.kind == "list of texts" and not all(isinstance(word, str) for word in value))
        ):
            raise ServingError(
                "{file}: {name} is {value}, but has to be a {kind}.",
                file=SETTINGS_FILE,
                name=self.name,
                value=repr(value)[:80],
                kind=self.kind,
            )
        if self.kind == "path" and value != "-":
            return str(folder / expand_home(value))
        if self.kind == "list of texts":
            return ",".join(value)
        return str(int(value)) if self.kind == "true or false" else str(value)


SETTINGS = (
    Setting("model", "path"),
    Setting("photos", "path"),
    Setting("new", "path"),
    Setting("owner", "true or false"),
    Setting("inbox", "path"),
    Setting("title"),
    Setting("intro"),
    Setting("colour"),
    Setting("host"),
    Setting("port", "whole number"),
    Setting("base-url"),
    Setting("hosts", "list of texts"),
    Setting("embed", "list of texts"),
    Setting("max-visitors", "whole number"),
    Setting("password-file", "path"),
    Setting("owner-password-file", "path"),
    Setting("api", "true or false"),
    Setting("api-token-file", "path"),
    Setting("api-cors", "list of texts"),
    Setting("api-photos-from"),
    Setting("metrics", "true or false"),
    Setting("access-log", "path"),
)
"""All of them, in the order in which they are described."""


def load_settings(folder: Path, environment: MutableMapping[str, str] | None = None) -> None:
    """Put what `fastclf.toml` in a folder says into the environment, where that says nothing yet.

    Parameters
    ----------
    folder
        Where the file may lie.
    environment
        By default this process's.

    Raises
    ------
    ServingError
        If the file is not read, or says something that is no setting.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "fastclf.toml").write_text('title = "Bears"\\nport = 8000')
    ...     said = {"FASTCLF_PORT": "9000"}
    ...     load_settings(Path(folder), said)
    >>> said
    {'FASTCLF_PORT': '9000', 'FASTCLF_TITLE': 'Bears'}
    """
    said = os.environ if environment is None else environment
    known = {setting.name: setting for setting in SETTINGS}
    for name, value in _read(folder / SETTINGS_FILE).items():
        if name not in known:
            raise ServingError(
                "{file}: there is no setting {name}; these are: {names}.",
                file=SETTINGS_FILE,
                name=name,
                names=", ".join(known),
            )
        said.setdefault(known[name].variable, known[name].write(value, folder.absolute()))


def _read(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    try:
        return tomllib.loads(read_given_file(file, _MOST_BYTES).decode("utf-8-sig"))
    except (OSError, ValueError) as e:
        raise ServingError("{file} is not read: {reason}.", file=SETTINGS_FILE, reason=str(e)) from None
