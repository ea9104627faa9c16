"""Passwords of a server: read from files, compared slowly, remembered by a cookie; few tries at a time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from ..api import Tries
from ..errors import ServingError

PASSWORD_FILE, OWNER_PASSWORD_FILE = "FASTCLF_PASSWORD_FILE", "FASTCLF_OWNER_PASSWORD_FILE"

VISITOR, OWNER = "visitor", "owner"

COOKIE_SECONDS = 7 * 86_400
LEAST_LETTERS, MOST_LETTERS = 8, 1024
# of scrypt: 32 MiB and about 0.3 s a try, what OWASP's list names beside others
_COST, _BLOCK, _TIMES = 2**15, 8, 3
_MARK = "scrypt"
# in a minute: of one address, and of all together
_TRIES, _TRIES_OF_ALL, _MINUTE = 5, 30, 60.0

current_role: ContextVar[str] = ContextVar("current_role", default="")
"""Who asks for what is answered now: `VISITOR`, `OWNER`, or nothing where no password was given."""


@dataclass(frozen=True)
class Password:
    """A password as it is kept: nobody can read it back.

    Examples
    --------
    >>> kept = Password.make("a long sentence")
    >>> kept.fits("a long sentence"), kept.fits("another one")
    (True, False)
    >>> Password.parse(kept.to_line()) == kept
    True
    """

    salt: bytes
    digest: bytes = field(repr=False)

    @classmethod
    def make(cls, text: str) -> Password:
        """Return what is kept of a password."""
        salt = secrets.token_bytes(16)
        return cls(salt, _stretch(text, salt))

    @classmethod
    def parse(cls, line: str) -> Password:
        """Return what `to_line` wrote; ValueError if it is something else."""
        mark, cost, block, times, salt, digest = line.split("$")
        if (mark, cost, block, times) != (_MARK, str(_COST), str(_BLOCK), str(_TIMES)):
            raise ValueError(line)
        parts = [base64.b64decode(part, validate=True) for part in (salt, digest)]
        if [*map(len, parts)] != [16, 32]:
            raise ValueError(line)
        return cls(*parts)

    def to_line(self) -> str:
        """Return one line for a file."""
        salt, digest = (base64.b64encode(part).decode() for part in (self.salt, self.digest))
        return f"{_MARK}${_COST}${_BLOCK}${_TIMES}${salt}${digest}"

    def fits(self, text: str) -> bool:
        """Tell whether a text is the password; takes a third of a second."""
        return hmac.compare_digest(_stretch(text, self.salt), self.digest)


def _stretch(text: str, salt: bytes) -> bytes:
    return hashlib.scrypt(
        text.encode("utf-8", "surrogatepass"), salt=salt, n=_COST, r=_BLOCK, p=_TIMES, maxmem=2**26, dklen=32
    )


def read_password(file: Path) -> Password:
    """Read a password file: its first line is the password, or what `Password.to_line` wrote of one.

    Raises
    ------
    ServingError
        If there is none, or it is too short to be one.
    """
    try:
        text, reason = _read_start(file), ""
    except OSError as e:
        text, reason = "", e.strerror or type(e).__name__
    except UnicodeDecodeError:
        text, reason = "", "it is no text"
    if reason:
        raise ServingError(
            "The password file {file} cannot be read: {reason}. Its first line is to be the password; "
            "`fastclf password {file}` writes one.",
            file=file,
            reason=reason,
        )
    return _parse_line(text.partition("\n")[0].rstrip("\r"), file)


def _read_start(file: Path) -> str:
    if file.exists() and not file.is_file():
        raise OSError(0, "it is no file")  # a pipe could let the server wait for ever
    with file.open("rb") as stream:
        return stream.read(4 * MOST_LETTERS + 3).decode("utf-8-sig")


def _parse_line(line: str, file: Path) -> Password:
    if line.startswith(f"{_MARK}$"):
        try:
            return Password.parse(line)
        except ValueError:
            raise ServingError(
                "The password file {file} is damaged. Write it again with `fastclf password {file}`.",
                file=file,
            ) from None
    check_password(line)
    return Password.make(line)


def make_password_line(text: str) -> str:
    """Return the line of a password file; ServingError as `check_password`."""
    check_password(text)
    return Password.make(text).to_line()


def check_password(text: str) -> None:
    """Raise ServingError where a text is too short or too long for a password."""
    if not LEAST_LETTERS <= len(text) <= MOST_LETTERS:
        raise ServingError(
            "The password has {n:d} characters; {least:d} to {most:d} are allowed. A short sentence is good.",
            n=len(text),
            least=LEAST_LETTERS,
            most=MOST_LETTERS,
        )


class TooManyTriesError(Exception):
    """Passwords are tried too quickly; `seconds` later one more may be."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Keeper:
    """Knows the passwords of a server, and whom it has let in.

    Parameters
    ----------
    visitor
        What lets people in; None where everybody may come.
    owner
        What makes somebody an owner; None where nobody becomes one by a password.
    clock
        Seconds that only go up.
    """

    def __init__(
        self,
        visitor: Password | None,
        owner: Password | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._passwords = {OWNER: owner, VISITOR: visitor}
        self._clock = clock
        # who was let in has to be let in again by the next server
        self._key = secrets.token_bytes(32)
        self._tries, self._all = Tries(_TRIES, _MINUTE), Tries(_TRIES_OF_ALL, _MINUTE)

    @classmethod
    def read(cls, said: Mapping[str, str]) -> Keeper | None:
        """Return the keeper of the password files that an environment names; None where it names none.

        Raises
        ------
        ServingError
            As `read_password`; and where everybody is an owner already, so that a password makes none.
        """
        named = [said.get(name) for name in (PASSWORD_FILE, OWNER_PASSWORD_FILE)]
        if named[1] and said.get("FASTCLF_OWNER") == "1":
            raise ServingError(
                "--owner makes an owner of everybody, and --owner-password-file of whoever knows the "
                "password: leave one of them away."
            )
        files = [Path(file).expanduser() if file else None for file in named]
        kept = [read_password(file) if file else None for file in files]
        return cls(*kept) if any(kept) else None

    @property
    def is_closed(self) -> bool:
        """Whether nobody comes in without a password."""
        return self._passwords[VISITOR] is not None

    def find_role(self, text: str) -> str:
        """Return whose password a text is, nothing if nobody's; takes a third of a second for each."""
        fitting = [role for role, password in self._passwords.items() if password and password.fits(text)]
        return fitting[0] if fitting else ""

    def count_try(self, address: str) -> None:
        """Count a try from an address; TooManyTriesError if there were too many."""
        wait = max(self._tries.find_wait(address), self._all.find_wait(""))
        if wait > 0:
            raise TooManyTriesError(wait)
        self._tries.add(address)
        self._all.add("")

    def write_cookie(self, role: str) -> str:
        """Return the value of the cookie that somebody gets."""
        until = f"{role}.{int(self._clock()) + COOKIE_SECONDS}.{secrets.token_hex(8)}"
        return f"{until}.{self._sign(until)}"

    def read_cookie(self, value: str) -> str:
        """Return the role that a cookie gives, nothing where it is not ours or too old."""
        said, _, signature = value.rpartition(".")
        if not hmac.compare_digest(ascii(signature), ascii(self._sign(said))):
            return ""
        role, until, _ = said.split(".")
        return role if self._clock() < int(until) else ""

    def _sign(self, text: str) -> str:
        return hmac.new(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def find_cookie_name(host: str) -> str:
    """Return the name of the cookie of a server: browsers give all ports of a machine the same ones.

    >>> find_cookie_name("localhost:8866"), find_cookie_name("bears.example")
    ('fastclf-8866', 'fastclf')
    """
    port = host.rpartition(":")[2]
    return f"fastclf-{port}" if port.isdecimal() else "fastclf"
