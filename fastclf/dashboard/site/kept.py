"""What a browser keeps of the page: the service worker and the web app's manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ...system import hash_bytes
from .face import Face
from .icons import SIZES
from .scripts import read_built

MANIFEST, WORKER = "manifest.webmanifest", "service-worker.js"
_GROUND = "#f6f7f9"


def write_manifest(face: Face) -> str:
    """Return the web app's manifest, with which the page can be put on a phone's home screen."""
    icons = [
        {"src": f"icon-{n}.png", "sizes": f"{n}x{n}", "type": "image/png", "purpose": "any maskable"}
        for n in SIZES
    ]
    values = {
        "name": face.title,
        "short_name": face.title,
        "description": face.intro,
        "start_url": "./",
        "scope": "./",
        "display": "standalone",
        "background_color": _GROUND,
        "theme_color": face.colour,
        "icons": [*icons, {"src": "icon.svg", "sizes": "any", "type": "image/svg+xml"}],
    }
    return json.dumps(values, ensure_ascii=False, indent=1) + "\n"


def write_worker(files: Mapping[str, bytes]) -> str:
    """Return the service worker that keeps these files, {address: content}, until one changes."""
    digest = "".join(f"{name} {hash_bytes(content)}\n" for name, content in sorted(files.items()))
    kept = {"version": hash_bytes(digest.encode())[:16], "files": sorted(files)}
    return f"const KEPT = {json.dumps(kept, ensure_ascii=False)};\n{read_built('service_worker.js')}"
