"""index.html: the frame that the scripts fill, and the rules that let the browser keep photos at home."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from string import Template

from ..widgets import build_data_url
from .face import Face
from .icons import draw_svg
from .scripts import read_built

GENERATOR = '<meta name="generator" content="fastclf share">'

# What is not named is forbidden: nothing may be fetched or sent, by any script.
_RULES = {
    "default-src": "'none'",
    "img-src": "blob: data:",
    "form-action": "'none'",
    "base-uri": "'none'",
}
_FILES = {"script-src": "'self' 'wasm-unsafe-eval'", "style-src": "'self'"}
_FOLDER_ONLY = {"worker-src": "blob: 'self'", "manifest-src": "'self'"}
_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="$rules">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
$generator
<meta name="description" content="$intro">
<meta name="theme-color" content="$colour">
<title>$title</title>
<link rel="icon" href="$icon">
$style
<script>$first</script>
</head>
<body class="fastclf-page">
<main>
<div id="fastclf-site" class="fastclf">
<header class="fastclf-head"><h1>$title</h1></header>
<noscript>
<p>This page needs JavaScript. Switch it on in your browser and reload the page.</p>
<p lang="es">Esta página necesita JavaScript. Actívalo en el navegador y recarga la página.</p>
<p lang="ar" dir="rtl">تحتاج هذه الصفحة إلى JavaScript. فعّله في متصفحك ثم أعد تحميل الصفحة.</p>
</noscript>
</div>
</main>
$scripts
</body>
</html>
""")


def write_page(face: Face, style: str, scripts: Mapping[str, str]) -> str:
    """Return the page of a folder; `style` and the keys of `scripts` are addresses, the values versions."""
    tags = "\n".join(f'<script defer src="{src}?v={version}"></script>' for src, version in scripts.items())
    rules = _RULES | _FILES | _FOLDER_ONLY
    rules["script-src"] += f" {_hash_source(_read_first())}"
    return _fill(face, rules, f'<link rel="stylesheet" href="{style}">', tags)


def write_single_page(face: Face, style: str, scripts: Sequence[str]) -> str:
    """Return the page as one file; each script is allowed by its hash, and no other one."""
    scripts = [_embed(script) for script in scripts]
    hashes = " ".join(map(_hash_source, [_read_first(), *scripts]))
    rules = _RULES | {
        "script-src": f"{hashes} 'wasm-unsafe-eval'",
        "style-src": _hash_source(style),
        "worker-src": "blob:",
    }
    tags = "\n".join(f"<script>{script}</script>" for script in scripts)
    return _fill(face, rules, f"<style>{style}</style>", tags)


def write_template(face: Face) -> str:
    """Return a page as one file that a browser fills, as `write_single_page` does.

    %SCRIPT_RULES%, %STYLE_RULE%, %TITLE%, %STYLE% and %SCRIPTS% stand in it.
    """
    rules = _RULES | {
        "script-src": f"{_hash_source(_read_first())} %SCRIPT_RULES% 'wasm-unsafe-eval'",
        "style-src": "%STYLE_RULE%",
        "worker-src": "blob:",
    }
    return _fill(replace(face, title="%TITLE%", intro=""), rules, "<style>%STYLE%</style>", "%SCRIPTS%")


def _fill(face: Face, rules: Mapping[str, str], style: str, scripts: str) -> str:
    return _PAGE.substitute(
        rules="; ".join(f"{name} {allowed}" for name, allowed in rules.items()),
        generator=GENERATOR,
        intro=escape(face.intro),
        colour=face.colour,
        title=escape(face.title),
        icon=build_data_url("image/svg+xml", draw_svg(face.colour).encode()),
        style=style,
        first=_read_first(),
        scripts=scripts,
    )


def _read_first() -> str:
    """Return the script that runs before anything is drawn."""
    return _embed(read_built("embedded.js").strip())


def _embed(script: str) -> str:
    """Return a script so that it does not end before its end tag."""
    return re.sub(r"<(?=/script|!--)", r"\\x3c", script, flags=re.IGNORECASE)


def _hash_source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
