"""What the API is, for programs (`/openapi.json`) and for people (`/api/docs`), both from one description."""

from __future__ import annotations

import copy
import html
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

from .. import __version__
from .door import Door

_ALWAYS = ("401", "403", "405", "408", "413", "415", "429", "503")


@cache
def load_description() -> dict[str, Any]:
    """Return the description of the API as OpenAPI 3.1 has it."""
    text = resources.files("fastclf.api").joinpath("openapi.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def build_description(base: str) -> dict[str, Any]:
    """Return the description of the API below a path."""
    found = copy.copy(load_description())
    found["info"] = {**found["info"], "version": __version__}
    found["servers"] = [{"url": base.rstrip("/") or "/"}]
    return found


class OpenApi(Door):
    """The description as JSON."""

    is_open = True

    async def act(self) -> None:
        """Answer."""
        self.answer(build_description(self.api.base))


class Docs(Door):
    """The description as a page, which loads nothing."""

    is_open = True

    async def act(self) -> None:
        """Answer."""
        self.clear_header("Content-Security-Policy")  # the gate writes that of pages
        page = self.settings["voila_jinja2_env"].get_template("api.html")
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        sections = "".join(_write_section(tag) for tag in load_description()["tags"])
        about = _write_words(load_description()["info"]["description"])
        words = {"about": about, "sections": sections, "asks": bool(self.api.token)}
        is_safe = "https" in (self.request.protocol, self.request.headers.get("X-Forwarded-Proto"))
        origin = f"{'https' if is_safe else 'http'}://{self.request.host}"
        self.finish(page.render(base=self.api.base, origin=origin, **words))


def _write_section(tag: Mapping[str, str]) -> str:
    calls = "".join(
        _write_call(path, method, call)
        for path, methods in load_description()["paths"].items()
        for method, call in methods.items()
        if tag["name"] in call["tags"]
    )
    words = _write_words(tag.get("description", ""))
    return f"<section><h2>{html.escape(tag['name'])}</h2>{words}{calls}</section>"


def _write_call(path: str, method: str, call: Mapping[str, Any]) -> str:
    """Return one call: its address, what it does, what it takes, what it answers."""
    rows = "".join(f"<dt>{name}</dt><dd>{words}</dd>" for name, words in _list_parts(call))
    head = f"<code><b>{method.upper()}</b> {html.escape(path)}</code>"
    words = _write_words(call.get("description", ""))
    return f"<article><h3>{head}</h3><p>{html.escape(call['summary'])}</p>{words}<dl>{rows}</dl></article>"


def _list_parts(call: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for given in call.get("parameters", ()):
        where = "" if given["in"] == "query" else f" ({given['in']})"
        yield f"<code>{html.escape(given['name'])}</code>{where}", _write_inline(given.get("description", ""))
    if "requestBody" in call:
        kinds = ", ".join(f"<code>{html.escape(kind)}</code>" for kind in call["requestBody"]["content"])
        yield "body", kinds
    answers = call["responses"].items()
    yield from ((status, _describe_answer(answer)) for status, answer in answers if status < "400")
    # what may be said to any call is said once, in the words at the top
    faults = [status for status, _ in answers if status >= "400" and status not in _ALWAYS]
    if faults:
        yield ", ".join(faults), _describe_answer(call["responses"][faults[0]])


def _describe_answer(answer: Mapping[str, Any]) -> str:
    if "$ref" in answer:
        answer = load_description()["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    words = _write_inline(answer["description"])
    fields = _find_fields(answer.get("content", {}).get("application/json", {}).get("schema", {}))
    return f"{words} {fields}".strip()


def _find_fields(schema: Mapping[str, Any]) -> str:
    """Return the names of the fields of what is answered."""
    if "items" in schema:
        schema = schema["items"]
    if "$ref" in schema:
        schema = load_description()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return ", ".join(f"<code>{html.escape(name)}</code>" for name in schema.get("properties", ()))


def _write_words(text: str) -> str:
    return f"<p>{_write_inline(text)}</p>" if text else ""


def _write_inline(text: str) -> str:
    """Return a text as HTML; what stands between backquotes is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))
