"""Which other sites may show the page in a frame of theirs."""

from __future__ import annotations

import os
from collections.abc import Mapping

from tornado.httputil import HTTPServerRequest

from ..errors import ServingError
from ..system import EXAMPLE_ORIGIN, is_origin, tidy_origin

EMBED = "FASTCLF_EMBED"
ANY = "*"


def read_embed(said: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return the origins whose pages may show the page; ("*",) for any.

    Parameters
    ----------
    said
        The environment, by default this process's.

    Raises
    ------
    ServingError
        If one is no origin.

    Examples
    --------
    >>> read_embed({"FASTCLF_EMBED": f"{EXAMPLE_ORIGIN.upper()}/, {EXAMPLE_ORIGIN}"}) == (EXAMPLE_ORIGIN,)
    True
    """
    words = map(tidy_origin, (os.environ if said is None else said).get(EMBED, "").split(","))
    found = tuple(dict.fromkeys(filter(None, words)))
    for origin in found:
        # all names below one are named by a star
        if origin != ANY and not is_origin(origin.replace("://*.", "://", 1)):
            raise ServingError(
                "--embed is {origin!r}, which is no origin. Write scheme and host alone, {example} for "
                "example, {below} for all names below one, or * for every site.",
                origin=origin[:80],
                example=EXAMPLE_ORIGIN,
                below=EXAMPLE_ORIGIN.replace("school", "*"),
            )
    return (ANY,) if ANY in found else found


def is_framed(request: HTTPServerRequest) -> bool:
    """Tell whether the page is asked for as one that stands in another page."""
    return "embed" in request.query_arguments
