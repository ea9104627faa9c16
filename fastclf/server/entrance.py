"""The way past the password: who is asked for it, who is let through, and as whom."""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection
from typing import Any

from tornado.httputil import HTTPServerRequest
from tornado.log import app_log
from tornado.web import RedirectHandler

from ..errors import ServingError
from .embed import is_framed
from .login import Login, Logout
from .passwords import (
    OWNER,
    OWNER_PASSWORD_FILE,
    PASSWORD_FILE,
    VISITOR,
    Keeper,
    Password,
    current_role,
    find_cookie_name,
)
from .refusal import Refusal

Answer = tuple[Any, dict[str, Any]]


class Entrance:
    """Stands between the gate and all that needs a password.

    Parameters
    ----------
    keeper
        Who knows the passwords.
    base
        The path before all others, with a slash at both ends.
    title
        Of the page that asks.
    """

    def __init__(self, keeper: Keeper, base: str, title: str = "") -> None:
        self._keeper, self._base, self._title = keeper, base, title or "Photo classifier"
        self._login, self._logout = f"{base}login", f"{base}logout"

    def is_form(self, path: str) -> bool:
        """Tell whether an address is that of the page that asks."""
        return path in (self._login, self._logout)

    def refuse_method(self, method: str, path: str) -> int:
        """Return 405 for what cannot be done there, else 0."""
        allowed = ("POST",) if path == self._logout else ("GET", "POST")
        return 0 if method in allowed else 405

    def find_role(self, request: HTTPServerRequest) -> str:
        """Return the role of whoever asks, nothing where no password was given.

        In a frame nobody is an owner: what stands around it could lead the owner's clicks.
        """
        cookie = request.cookies.get(find_cookie_name(request.host))
        role = self._keeper.read_cookie(cookie.value) if cookie else ""
        if role == OWNER and is_framed(request):
            return VISITOR
        return role

    def find(self, request: HTTPServerRequest, owned: Collection[str], *, is_api: bool) -> Answer | None:
        """Return who answers in place of the application, by the role of whoever asks.

        `owned` are the kernels of owners.
        """
        role = self.find_role(request)
        current_role.set(role)
        if request.path == self._login:
            return Login, {"keeper": self._keeper, "home": self._base, "title": self._title}
        if request.path == self._logout:
            return Logout, {"home": self._base}
        if self._keeper.is_closed and not role:
            return self._ask(request, is_api=is_api)
        if role != OWNER and not set(owned).isdisjoint(request.path.split("/")):
            return Refusal, {"status": 403}
        return None

    def _ask(self, request: HTTPServerRequest, *, is_api: bool) -> Answer:
        """Lead whoever opens the page to where the password is asked for; what is not a page is refused.

        In a frame nobody is asked: the page there says so, and leads to one of its own.
        """
        if request.method == "GET" and request.path == self._base and not is_framed(request):
            return RedirectHandler, {"url": self._login, "permanent": False}
        return Refusal, {"status": 401, "is_api": is_api}


def open_entrance(base: str, title: str, *, is_ours: bool) -> Entrance | None:
    """Return the entrance that the environment asks for, None where everybody may come in.

    Where a password's file is of no use, nobody is let in.
    """
    try:
        if not is_ours and any(map(os.environ.get, (PASSWORD_FILE, OWNER_PASSWORD_FILE))):
            raise ServingError(
                "A Jupyter server asks for its own password; take {names} away.",
                names=f"{PASSWORD_FILE} and {OWNER_PASSWORD_FILE}",
            )
        keeper = Keeper.read(os.environ)
    except ServingError as e:
        app_log.error("%s Until then nobody is let in.", e.message)
        keeper = Keeper(Password.make(secrets.token_hex(32)))
    return None if keeper is None else Entrance(keeper, base, title)
