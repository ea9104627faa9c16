"""The page that asks for the password, and what becomes of an answer."""

from __future__ import annotations

import asyncio
from typing import Any

from tornado.web import RequestHandler

from ..api import find_caller
from .passwords import COOKIE_SECONDS, MOST_LETTERS, Keeper, TooManyTriesError, find_cookie_name

# each of them waits for a thread and takes 32 MiB in it
_MOST_AT_ONCE = 4
_waiting = 0
_one_at_a_time = asyncio.Lock()


class Login(RequestHandler):
    """Asks for the password, and lets in whoever knows it."""

    def initialize(self, keeper: Keeper, home: str, title: str) -> None:
        """Keep who knows the passwords, and where the page is."""
        self._keeper, self._home, self._title = keeper, home, title

    def check_xsrf_cookie(self) -> None:
        """Pass: another site's form is refused by its origin."""

    def get(self) -> None:
        """Show the page."""
        self._show()

    async def post(self) -> None:
        """Compare what was typed; one at a time, and few in a minute."""
        origin = self.request.headers.get("Origin")
        if origin is not None and origin.partition("://")[2] != self.request.host:
            self._show(403)
            return
        text = self.get_body_argument("password", "", strip=False)
        try:
            role = await self._compare(text)
        except TooManyTriesError as e:
            self.set_header("Retry-After", str(e.seconds))
            self._show(429, seconds=e.seconds)
            return
        if not role:
            self._show(401)
            return
        self._remember(role)
        self.redirect(self._home, status=303)

    async def _compare(self, text: str) -> str:
        global _waiting
        if _waiting >= _MOST_AT_ONCE:
            raise TooManyTriesError(2)
        self._keeper.count_try(find_caller(self.request))
        if not text or len(text) > MOST_LETTERS:
            return ""
        _waiting += 1
        try:
            async with _one_at_a_time:
                return await asyncio.to_thread(self._keeper.find_role, text)
        finally:
            _waiting -= 1

    def _remember(self, role: str) -> None:
        asked = self.request.headers.get("X-Forwarded-Proto", self.request.protocol)
        self.set_cookie(
            find_cookie_name(self.request.host), self._keeper.write_cookie(role), path=self._home,
            max_age=COOKIE_SECONDS, httponly=True, samesite="Lax", secure=asked == "https",
        )  # fmt: skip

    def _show(self, status: int = 200, **said: Any) -> None:
        self.set_status(status)
        self.set_header("Cache-Control", "no-store")
        page = self.settings["voila_jinja2_env"].get_template("login.html")
        self.finish(page.render(status_code=status, address=self.request.path, title=self._title, **said))


class Logout(RequestHandler):
    """Takes the cookie back."""

    def initialize(self, home: str) -> None:
        """Keep where the page is."""
        self._home = home

    def check_xsrf_cookie(self) -> None:
        """Pass: nothing is lost by it but the cookie."""

    def post(self) -> None:
        """Forget who it was."""
        self.clear_cookie(find_cookie_name(self.request.host), path=self._home)
        self.redirect(f"{self._home}login", status=303)
