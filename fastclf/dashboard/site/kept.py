"""What a browser keeps of the page: the service worker and the web app's manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ...model import ModelBundle
from ...system import hash_bytes
from .icons import SIZES
from .scripts import read_built

MANIFEST, WORKER = "manifest.webmanifest", "service-worker.js"
_GROUND = "#f6f7f9"


def write_manifest(bundle: ModelBundle, colour: str) -> str:
    """Return the web app's manifest, with which the page can be put on a phone's home screen."""
    title = bundle.manifest.title.strip() or "Photo classifier"
    icons = [
        {"src": f"icon-{n}.png", "sizes": f"{n}x{n}", "type": "image/png", "purpose": "any maskable"}
        for n in SIZES
    ]
    values = {
        "name": title,
        "short_name": title,
        "description": bundle.manifest.intro.strip(),
        "start_url": "./",
        "scope": "./",
        "display": "standalone",
        "background_color": _GROUND,
        "theme_color": colour,
        "icons": [*icons, {"src": "icon.svg", "sizes": "any", "type": "image/svg+xml"}],
    }
    return json.dumps(values, ensure_ascii=False, indent=1) + "\n"


def write_worker(files: Mapping[str, bytes]) -> str:
    """Return the service worker that keeps these files, {address: content}, until one changes."""
    digest = "".join(f"{name} {hash_bytes(content)}\n" for name, content in sorted(files.items()))
    kept = {"version": hash_bytes(digest.encode())[:16], "files": sorted(files)}
    return f"const KEPT = {json.dumps(kept, ensure_ascii=False)};\n{read_built('service_worker.js')}"
