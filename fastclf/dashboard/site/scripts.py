"""The page's scripts but for the model's: what it holds, the dashboard's components, and what draws them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib import resources
from typing import Any

from ... import __version__
from ...model import ModelBundle
from ...photos import MAX_BYTES
from ..about import ConfusionMatrix, write_about
from ..classify import AnswerList, PhotoDrop, find_sure
from ..tabs import TabStrip
from ..texts import LANGUAGES, load_catalogue, speaking
from ..widgets import PageFrame, PhotoViewer, ScriptedWidget, find_accents

_COMPONENTS: tuple[type[ScriptedWidget], ...] = (
    PageFrame, TabStrip, PhotoDrop, AnswerList, PhotoViewer, ConfusionMatrix,
)  # fmt: skip

# at the beginning of a statement, on a line of its own or not
_EXPORT = re.compile(r"(?:^|(?<=[;}]))export (default )?", re.MULTILINE)


def write_scripts(bundle: ModelBundle, *, keeps: bool, head: str) -> dict[str, str]:
    """Return {name: script} in the order of loading.

    `keeps` says that a service worker lies beside the page; `head` is the hash of the head that is its own.
    """
    return bring(_describe(bundle), "shell.js", "worker.js", keeps=keeps, head=head)


def bring(site: Mapping[str, Any], shell: str, worker: str, *, keeps: bool, head: str) -> dict[str, str]:
    """Return {name: script} of a page that holds `site`: its words, components, and what draws it."""
    held, scripts = fill_site(site, shell, worker, keeps=keeps)
    return {"site.js": f"window.fastclfSite = {_write_json(held | {'head': head})};\n", **scripts}


def fill_site(
    site: Mapping[str, Any], shell: str, worker: str, *, keeps: bool
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what a page holds, with the words of its scripts, and these."""
    scripts = {
        "components.js": _write_components(),
        shell: read_built(shell),
        "check.js": read_built("check.js"),
    }
    # the worker's sentences are said by the page
    texts = _select_texts([*scripts.values(), read_built(worker)])
    return {**site, "texts": texts, "keeps": keeps}, scripts


def read_built(name: str) -> str:
    """Return a script that was bundled when the package was built."""
    return (resources.files(__package__) / "static" / name).read_text(encoding="utf-8")


def _describe(bundle: ModelBundle) -> dict[str, Any]:
    manifest = bundle.manifest
    return {
        "title": manifest.title.strip(),
        "intro": manifest.intro.strip(),
        "accents": find_accents(manifest.colour),
        "translations": manifest.translations,
        "vocab": bundle.vocab,
        "sure": find_sure(manifest),
        "featuresId": manifest.features_id,
        "fastclf": __version__,
        "languages": LANGUAGES,
        "mostBytes": MAX_BYTES,
        **_write_about(bundle),
    }


def _write_about(bundle: ModelBundle) -> dict[str, Any]:
    """Return what About says in each language; a file that it hands out is there once for all of them."""
    about, downloads = {}, dict[str, int]()

    def name(match: re.Match[str]) -> str:
        return f' data-download="{downloads.setdefault(match[1], len(downloads))}"'

    for code in LANGUAGES:
        with speaking(code, bundle.manifest.translations):
            said = write_about(bundle.manifest.to_dict())
        for part in ("above", "below"):
            # no markup may bring styles of its own; the page sets them from these
            styled = [html.replace(' style="', ' data-style="') for html in said[part]]
            said[part] = [re.sub(r' href="(data:[^"]+)"', name, html) for html in styled]
        about[code] = said
    return {"about": about, "downloads": list(downloads)}


def _write_components() -> str:
    """Return the dashboard's components as one classic script that registers each by its name."""
    parts = [_wrap(component) for component in _COMPONENTS]
    return "\n".join(["window.fastclfComponents = {};", *parts])


def _wrap(component: type[ScriptedWidget]) -> str:
    place = f"window.fastclfComponents.{component.__name__} = "
    script = _EXPORT.sub(lambda found: place if found[1] else "", component.read_script())
    return f'(() => {{\n"use strict";\n{script}\n}})();'


def _select_texts(scripts: list[str]) -> dict[str, dict[str, str]]:
    """Return {language: {English text: text}} of all that stands in the scripts as it is."""
    whole = "\n".join(scripts)
    pieces = {mark: set(whole.split(mark)[1:-1]) for mark in "\"'`"}
    found = {text: said for text, said in load_catalogue().items() if _stands_in(text, whole, pieces)}
    codes = [code for code in LANGUAGES if code != "en"]
    return {code: {text: said[code] for text, said in found.items() if code in said} for code in codes}


def _stands_in(text: str, script: str, pieces: Mapping[str, set[str]]) -> bool:
    """Return whether a text stands between two marks of a script; `pieces` lie between one and the next."""
    forms = {text, json.dumps(text, ensure_ascii=False)[1:-1]}
    return any(
        f"{mark}{form}{mark}" in script if mark in form else form in between
        for mark, between in pieces.items()
        for form in forms
    )


def _write_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
