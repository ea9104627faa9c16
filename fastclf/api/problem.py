"""What went wrong, as RFC 9457 says it: problem JSON, in one of our sentences."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from tornado.web import HTTPError

from ..errors import (
    AddressError,
    BundleError,
    FastclfError,
    InboxError,
    MemoryShortageError,
    Message,
    StoppedError,
    UnreadablePhotoError,
    UsageError,
)

PROBLEM_TYPE = "application/problem+json"
_logger = logging.getLogger(__name__)

# Statuses that come from below, without a sentence of ours.
_USUAL = {
    400: "The request is not in the form of HTTP.",
    404: "There is nothing at this address. /api/docs says what there is.",
    405: "This address does not answer {method}; it answers {allowed}.",
    421: "This server is not known under the name that was asked for.",
    500: "Something went wrong here, not with your photos. The server's log says why.",
}
# What the host's own errors are to a caller: they name folders of the host.
_HIDDEN = Message(
    "The model cannot answer at the moment. Whoever runs this server finds the reason in its log."
)
_NO_INBOX = Message(
    "Reports cannot be kept at the moment. Whoever runs this server finds the reason in its log."
)
_FULL = Message("The inbox of this server is full. Nothing was sent; please try again another day.")


class ProblemError(HTTPError):
    """An answer that is none, with the sentence for it.

    Parameters
    ----------
    status
        Of HTTP.
    template, fields
        As of a `Message`.
    headers
        What the answer says besides.
    """

    def __init__(
        self, status: int, template: str, /, *, headers: Mapping[str, str] | None = None, **fields: object
    ) -> None:
        super().__init__(status)
        self.message = Message(template, **fields)
        self.headers = dict(headers or {})

    def __str__(self) -> str:
        return f"{self.status_code} {self.message}"


def build_usual_problem(status: int, **fields: object) -> ProblemError:
    """Return the problem of a status that somebody below has given."""
    template = _USUAL.get(status) or _USUAL[500 if status >= 500 else 400]
    if status != 405:
        return ProblemError(status, template)
    return ProblemError(status, template, method=fields.get("method"), allowed=fields.get("allowed"))


def find_problem(error: FastclfError) -> ProblemError:
    """Return what a caller is told of an error; one that may name a path of the host is logged instead."""
    if isinstance(error, UnreadablePhotoError | AddressError | UsageError):
        return ProblemError(422, error.message)
    if isinstance(error, MemoryShortageError | StoppedError):
        return ProblemError(503, error.message, headers={"Retry-After": "5"})
    _logger.warning("A caller of the API was refused. %s", error.message)
    if isinstance(error, InboxError):
        return ProblemError(503, _FULL if "is full" in error.message.template else _NO_INBOX)
    retry = {"Retry-After": "30"} if isinstance(error, BundleError) else {}
    return ProblemError(503, _HIDDEN, headers=retry)


def write_problem(problem: ProblemError, **more: Any) -> bytes:
    """Return the body of a problem's answer; `more` are members of a protocol that has words of its own."""
    status = problem.status_code
    known = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    return json.dumps({**known, "detail": str(problem.message), **more}).encode()
