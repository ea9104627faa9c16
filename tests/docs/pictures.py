"""Which pictures the documents show, and what each is a picture of."""

from __future__ import annotations

import hashlib
import json

from .pages import DOCS, ROOT

PICTURES = DOCS / "pictures"
RECORD = PICTURES / "made.json"
SCHEMES = ("light", "dark")


def _list_looks(folder: str) -> list[str]:
    """Patterns of the files of a tab that decide how it looks."""
    return [f"fastclf/dashboard/{folder}/{name}" for name in ("*.js", "*.css", "panel.py")]


_DRAWN = ["tests/illustrations.py"]
_PAGE = [
    *_DRAWN,
    *_list_looks("widgets"),
    "fastclf/dashboard/tabs.*",
    "page/src/*.css",
    "fastclf/server/voila/fastclf/*.j2",
]
_CLASSIFY = [*_PAGE, *_list_looks("classify")]
_CLEAN = [*_PAGE, *_list_looks("clean"), "fastclf/dashboard/clean/filters.py"]
_CARD = [
    *_DRAWN,
    *(f"fastclf/card/{name}" for name in ("blocks.py", "card.css", "charts.py", "judged.py", "render.py")),
]
# {picture: patterns of the files that decide how it looks}
SHOWS = {
    "classify": _CLASSIFY,
    "why": _CLASSIFY,
    "phone": _CLASSIFY,
    "clean": _CLEAN,
    "accept": _CLEAN,
    "about": [*_PAGE, *_list_looks("about"), *_CARD],
    "card": _CARD,
    "report": [*_DRAWN, "fastclf/check/page.py", "fastclf/check/report.css"],
    "login": ["page/src/login*", "fastclf/server/voila/fastclf/login.html"],
    "teach": [
        *_DRAWN,
        "page/src/site/teach/*panel*.js",
        "page/src/site/teach/class_card.js",
        "fastclf/dashboard/site/*.css",
    ],
}


def hash_sources(name: str) -> str:
    """Return the hash of all that decides how a picture looks."""
    found = sorted({path for pattern in SHOWS[name] for path in ROOT.glob(pattern) if path.is_file()})
    whole = hashlib.sha256()
    for path in found:
        whole.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return whole.hexdigest()


def read_record() -> dict[str, str]:
    """Return {picture: the hash of its sources when it was made}."""
    return json.loads(RECORD.read_text()) if RECORD.is_file() else {}


def record(name: str) -> None:
    """Note that a picture is of today."""
    made = {key: value for key, value in read_record().items() if key in SHOWS} | {name: hash_sources(name)}
    RECORD.write_text(json.dumps(dict(sorted(made.items())), indent=1) + "\n")
