"""The API's options of `fastclf serve`, and what is said of it once it answers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from .console import say

if TYPE_CHECKING:
    from ..api import ApiSettings


def read_api_options(
    api: bool, token_file: Path | None, cors: Sequence[str], photos_from: str
) -> ApiSettings | None:
    """Return the settings of the API, None where there is none; what is not given is the environment's.

    Raises
    ------
    UsageError
        If something is set of an API that there is not.
    """
    from ..api import ApiSettings

    given = ApiSettings(token_file=token_file, cors=tuple(cors), photos_from=photos_from)
    if not api and os.environ.get("FASTCLF_API", "").strip() != "1":
        if given != ApiSettings():
            raise UsageError(
                "--api-token-file, --api-cors and --api-photos-from are settings of the API: add --api."
            )
        return None
    return given.complete(ApiSettings.from_environment(os.environ))


def tell_ready(url: str, api: ApiSettings | None) -> None:
    """Say where the dashboard is, and the API, and who may ask it."""
    say(f"The dashboard is at {url} (Ctrl-C stops it).")
    if api is None:
        return
    who = "with the token" if api.token_file else "without a token: whoever reaches the page may ask"
    say(f"The API is at {url.rstrip('/')}/api/docs, {who}.")
