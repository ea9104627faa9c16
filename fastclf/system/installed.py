"""How fastclf was installed, and so how more of it is."""

from __future__ import annotations

import json
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

_NAME = "fastclf"


def advise_install(extra: str = "") -> str:
    """Return the command that installs fastclf, with an extra, from where this fastclf came.

    From the package index; from a folder, in which a checkout stays what is imported; from a wheel; or from a
    repository. pip writes down which it was (PEP 610, ``direct_url.json``).

    Examples
    --------
    >>> advise_install("train")
    'pip install ...[train]"'
    """
    marked = f"[{extra}]" if extra else ""
    try:
        origin = _read_origin(distribution(_NAME))
    except PackageNotFoundError:
        root = Path(__file__).parents[2]
        origin = {"url": root.as_uri(), "dir_info": {"editable": True}} if _is_checkout(root) else {}
    url = str(origin.get("url", ""))
    if "dir_info" in origin:
        editable = "-e " if origin["dir_info"].get("editable") else ""
        return f'pip install {editable}"{url2pathname(urlparse(url).path)}{marked}"'
    if "vcs_info" in origin:
        vcs = origin["vcs_info"]
        revision = vcs.get("requested_revision")
        url = f"{vcs.get('vcs', 'git')}+{url}" + (f"@{revision}" if revision else "")
    return f'pip install "{_NAME}{marked}{f" @ {url}" if url else ""}"'


def _read_origin(installed: Distribution) -> dict[str, Any]:
    """Return what is written down about where it came from; nothing for the index, or where it is damaged."""
    try:
        found = json.loads(installed.read_text("direct_url.json") or "{}")
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_checkout(root: Path) -> bool:
    return (root / "pyproject.toml").is_file()
