"""The path before all addresses of a server, where a proxy in front shows the page below one."""

from __future__ import annotations

import re

from ..errors import ServingError

# what needs no escape in an address, and no thought about how somebody else reads it
_PART = re.compile(r"[0-9A-Za-z_~-][0-9A-Za-z._~-]*")


def read_base_url(text: str) -> str:
    """Return a path with a slash at both ends.

    Raises
    ------
    ServingError
        If it is none.

    Examples
    --------
    >>> read_base_url("bears"), read_base_url("/my/bears/"), read_base_url("")
    ('/bears/', '/my/bears/', '/')
    """
    parts = text.strip().strip("/").split("/")
    if parts == [""]:
        return "/"
    if not all(_PART.fullmatch(part) for part in parts):
        raise ServingError(
            "--base-url is {text!r}; write the path alone, as in /bears/, of letters, digits, dots, _, ~ "
            "and -.",
            text=text,
        )
    return f"/{'/'.join(parts)}/"
