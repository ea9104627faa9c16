"""What every answer tells the browser: what a page may do, who may embed it, nothing of the server."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tornado.httputil import HTTPHeaders, HTTPServerRequest

HOST = re.compile(r"(\[[0-9a-f:.]+\]|[0-9a-z._-]+)(:\d{1,5})?")

_PERMISSIONS = ", ".join(
    ["camera=(self)"]
    + [f"{name}=()" for name in ("display-capture", "geolocation", "microphone", "midi", "payment", "usb")]
)
_OWN, _NONE = "'self'", "'none'"
_OLD = {_OWN: "SAMEORIGIN", _NONE: "DENY"}
# What Voila sends while a kernel starts.
_HEARTBEAT = "window.voila_heartbeat()"


class AnswerHeaders:
    """The headers of a server's answers.

    The page's scripts and styles that stand inline are known by their hashes: a page that waits for its
    visitor is rendered before anybody asks for it, so it can hold no nonce of an answer. Widgets bring
    scripts as modules of a blob, which only a script can make; their styles are adopted by the page's client.

    Parameters
    ----------
    sources
        The page's templates.
    embed
        Origins of other sites that may show the page in a frame.
    """

    def __init__(self, sources: Iterable[str], embed: Sequence[str] = ()) -> None:
        sources, self._embed = list(sources), embed
        scripts = " ".join([hash_source(_HEARTBEAT), *find_inline("script", sources)])
        self._policy = {
            "default-src": "'none'",
            "script-src": f"'self' blob: {scripts}",
            "style-src": " ".join(find_inline("style", sources)),
            "img-src": "'self' data: blob:",
            "media-src": "'self' blob:",
            "base-uri": "'none'",
            "form-action": "'none'",
        }

    def complete(
        self,
        headers: HTTPHeaders,
        request: HTTPServerRequest,
        settings: Mapping[str, Any],
        *,
        is_page: bool,
        keeps_cookies: bool,
        has_form: bool = False,
        owned: bool = False,
    ) -> None:
        """Add to the headers of an answer what is missing, and take away what nobody needs.

        What the maker has set in `settings` stands. `is_page` is False for what is a Jupyter server's own,
        `has_form` is True where a password is asked for, `owned` where an owner gets the answer.
        """
        for name in ["Server"] if keeps_cookies else ["Server", "Set-Cookie"]:
            headers.pop(name, None)
        headers.setdefault("X-Content-Type-Options", "nosniff")
        if not is_page:
            return
        given = settings.get("headers", {})
        for name, value in (("Referrer-Policy", "same-origin"), ("Permissions-Policy", _PERMISSIONS)):
            headers[name] = given.get(name, value)
        said = headers.get("Content-Security-Policy") or given.get("Content-Security-Policy", "")
        host = request.headers.get("Host", "")
        headers["Content-Security-Policy"] = self.build_policy(said, host, has_form=has_form, owned=owned)
        _tell_old_browsers(headers)

    def build_policy(self, said: str, host: str, *, has_form: bool = False, owned: bool = False) -> str:
        """Return the policy of an answer; the maker's exceptions are said already.

        No other site shows an owner's page: it could let the owner click on what is not seen.
        """
        host = host.lower()
        lines = f" ws://{host} wss://{host}" if HOST.fullmatch(host) else ""
        directives = {"frame-ancestors": _OWN, **self._policy, "connect-src": f"'self'{lines}"}
        for directive in filter(None, map(str.strip, () if has_form else said.split(";"))):
            name, _, value = directive.partition(" ")
            directives[name.lower()] = value.strip()
        if self._embed:
            directives["frame-ancestors"] = " ".join((_OWN, *self._embed))
        if owned:
            directives["frame-ancestors"] = _OWN
        if has_form:
            # nobody draws another page around it
            directives |= {"form-action": _OWN, "frame-ancestors": _NONE}
        # a Jupyter server has a place for such reports, which says nothing to anybody
        directives.pop("report-uri", None)
        return "; ".join(f"{name} {value}".strip() for name, value in directives.items())


def _tell_old_browsers(headers: HTTPHeaders) -> None:
    """Say who may show the answer in a frame as older browsers read it, which know no list of sites."""
    [ancestors] = re.findall(r"(?:^|; )frame-ancestors ?([^;]*)", headers["Content-Security-Policy"])
    headers.pop("X-Frame-Options", None)
    if ancestors in _OLD:
        headers["X-Frame-Options"] = _OLD[ancestors]


def find_inline(tag: str, sources: Iterable[str]) -> list[str]:
    """Return the hashes of the scripts or styles that stand inline in templates."""
    found = [text for source in sources for text in re.findall(rf"<{tag}>(.*?)</{tag}>", source, re.DOTALL)]
    return [hash_source(text) for text in dict.fromkeys(found)]


def hash_source(text: str) -> str:
    """Return what a policy calls an inline script or style.

    >>> hash_source("alert(1)")
    "'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='"
    """
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
