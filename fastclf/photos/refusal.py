"""Why a photo is not read: a reason that does not know the file's name yet."""

from __future__ import annotations

from ..errors import Message


class RefusedError(Exception):
    """A reason, still without the file's name."""

    def __init__(self, reason: str, /, **fields: object) -> None:
        self.reason = Message(reason, **fields)
        super().__init__(self.reason)
