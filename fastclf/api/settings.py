"""What the host says of the API: whether there is one, its token, who may call it from a browser."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ..errors import ServingError
from ..system import is_origin, tidy_origin

_TOKEN = re.compile(r"[\x21-\x7e]+")
_SHORTEST_TOKEN = 16
_MOST_TOKEN_BYTES = 4096


@dataclass(frozen=True, kw_only=True)
class ApiSettings:
    """The settings of the API, as the host gives them.

    Attributes
    ----------
    token_file
        File of the token that callers show; None where nobody is asked for one.
    cors
        Origins whose pages may call it; "*" for any.
    photos_from
        The one origin that Label Studio's photos are fetched from, "" for none.
    """

    token_file: Path | None = None
    cors: tuple[str, ...] = ()
    photos_from: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read what `to_environment` wrote, or what the host has set by hand."""
        file = environment.get("FASTCLF_API_TOKEN_FILE", "").strip()
        origins = (tidy_origin(word) for word in environment.get("FASTCLF_API_CORS", "").split(","))
        return cls(
            token_file=Path(file).expanduser() if file else None,
            cors=tuple(origin for origin in origins if origin),
            photos_from=tidy_origin(environment.get("FASTCLF_API_PHOTOS_FROM", "")),
        )

    def to_environment(self) -> dict[str, str]:
        """Return the settings as the server's environment; every path is a whole one."""
        file = "" if self.token_file is None else str(self.token_file.expanduser().absolute())
        return {
            "FASTCLF_API": "1",
            "FASTCLF_API_TOKEN_FILE": file,
            "FASTCLF_API_CORS": ",".join(self.cors),
            "FASTCLF_API_PHOTOS_FROM": self.photos_from,
        }

    def complete(self, others: Self) -> Self:
        """Return the same, with what is not given here taken from `others`."""
        return type(self)(
            token_file=self.token_file or others.token_file,
            cors=tuple(map(tidy_origin, self.cors)) or others.cors,
            photos_from=tidy_origin(self.photos_from) or others.photos_from,
        )

    def check(self) -> None:
        """Make sure that they can be used.

        Raises
        ------
        ServingError
            If the token's file cannot be read or holds no token, or an origin is none.
        """
        self.read_token()
        for origin in self.cors:
            if origin != "*" and not is_origin(origin):
                raise ServingError(
                    "--api-cors is {origin!r}, which is no origin. Write scheme and host alone, "
                    "https://school.example.org for example, or * for every page.",
                    origin=origin,
                )
        if self.photos_from and not is_origin(self.photos_from):
            raise ServingError(
                "--api-photos-from is {origin!r}, which is no origin. Write scheme and host alone, as in "
                "http://localhost:8080.",
                origin=self.photos_from,
            )

    def read_token(self) -> str:
        """Return the token, "" where there is none; may raise a ServingError."""
        if self.token_file is None:
            return ""
        try:
            with self.token_file.expanduser().open("rb") as f:
                token = f.read(_MOST_TOKEN_BYTES).decode("ascii", "replace").strip()
        except OSError as e:
            raise ServingError(
                "The token's file {file} cannot be read ({reason}). Name another with --api-token-file.",
                file=self.token_file,
                reason=e.strerror,
            ) from None
        if len(token) < _SHORTEST_TOKEN or not _TOKEN.fullmatch(token):
            raise ServingError(
                "{file} holds no token: one line of at least {n} letters, digits and signs without spaces. "
                "`python -c 'import secrets; print(secrets.token_urlsafe(32))'` makes one.",
                file=self.token_file,
                n=_SHORTEST_TOKEN,
            )
        return token


def read_api_settings() -> ApiSettings | None:
    """Return the settings in the environment, None where FASTCLF_API does not ask for an API."""
    wanted = os.environ.get("FASTCLF_API", "").strip() == "1"
    return ApiSettings.from_environment(os.environ) if wanted else None
