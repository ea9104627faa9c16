"""What may come instead of an answer, each in one clause."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpcore2

from ...errors import Message
from .timed import TimeIsUpError

# What a Retry-After header may ask for, in seconds; more is as good as for ever.
_MAX_REST = 24 * 3600.0
# Statuses after which another try may go well soon.
_PASSING = {408, 425, 429, 500, 502, 503, 504}


class FetchError(Exception):
    """An address could not be fetched; `reason` is a clause without it, with `fields` ("answered {answer}").

    `lasting` says that another try is pointless, `soon` that one may go well within a minute.
    """

    def __init__(
        self,
        reason: str,
        *,
        lasting: bool,
        soon: bool = False,
        status: int | None = None,
        retry_after: float | None = None,
        **fields: object,
    ) -> None:
        self.reason = Message(reason, **fields)
        super().__init__(self.reason)
        self.lasting = lasting
        self.soon = soon
        self.status = status
        self.retry_after = retry_after


def describe_size(size: int | None, most: int) -> str:
    """Return that a body of `size` bytes, or of nobody knows how many, is too large."""
    limit = most / 2**20
    if size is None:
        return Message("is larger than the {most:.0f} MB that are fetched", most=limit)
    words = "has {size:.1f} MB, more than the {most:.0f} MB that are fetched"
    return Message(words, size=size / 2**20, most=limit)


def describe_status(status: int, headers: Mapping[str, str]) -> FetchError:
    """Return what a status that is no success means."""
    answer = str(status)
    with contextlib.suppress(ValueError):
        answer += f" ({HTTPStatus(status).phrase.lower()})"
    return FetchError(
        "answered {answer}",
        answer=answer,
        lasting=status not in _PASSING and status < 500,
        soon=status in _PASSING,
        status=status,
        retry_after=read_wait(headers.get("retry-after", "")),
    )


def read_wait(value: str) -> float | None:
    """Return the seconds of a Retry-After header, which is a number or a date."""
    if is_number(value):
        return min(float(value), _MAX_REST)
    try:
        wait = parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(max(wait, 0.0), _MAX_REST)


@contextlib.contextmanager
def explained(seconds: float) -> Iterator[None]:
    """Turn what a connection may meet into one clause."""
    try:
        yield
    except TimeIsUpError:
        raise FetchError("took longer than {n:g} s", n=seconds, lasting=False) from None
    except httpcore2.TimeoutException:
        raise FetchError("did not answer in time", lasting=False, soon=True) from None
    except httpcore2.RemoteProtocolError as e:
        if "closed connection" in str(e) or "disconnected" in str(e):
            raise FetchError("was cut off on its way", lasting=False, soon=True) from None
        raise FetchError("answered with something that is no HTTP", lasting=True) from None
    except (httpcore2.LocalProtocolError, httpcore2.UnsupportedProtocol, UnicodeError):
        raise FetchError("is no address that can be fetched", lasting=True) from None
    except httpcore2.NetworkError as e:
        if isinstance(e.__cause__ or e.__context__, ssl.SSLError):
            raise FetchError("has no certificate that can be trusted", lasting=True) from None
        reached = not isinstance(e, httpcore2.ConnectError)
        what = "was cut off on its way" if reached else "could not be connected to"
        raise FetchError(what, lasting=False, soon=reached) from None


def is_number(text: str) -> bool:
    """Return whether a header's value is a plain number."""
    return text.isascii() and text.isdigit()
