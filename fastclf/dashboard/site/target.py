"""Where a page is written: what may be replaced there, and how."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ...errors import UsageError
from ...system import find_file_error, find_write_error, is_stray, write_atomic
from .html import GENERATOR

# names the files that we wrote
LIST = "fastclf-site.json"
_ROOM = 64 * 2**20
# what hosts ask for beside the files, and what versions of a folder are kept in
_ALLOWED = frozenset({"CNAME", ".git", ".github", ".gitattributes", ".gitignore", LIST})


def check_folder(target: Path) -> None:
    """Refuse to write where a file is, or a folder that holds other things than an earlier page."""
    if target.exists() and not target.is_dir():
        raise UsageError(
            "{target} is a file. Name a folder for the page, or add --single-file to write one HTML file.",
            target=target,
        )
    if target.suffix.lower() in (".html", ".htm") and not target.exists():
        raise UsageError(
            "{target} is the name of a file. Name a folder for the page, or add --single-file to write one "
            "HTML file.",
            target=target,
        )
    if target.is_dir() and (foreign := _find_foreign(target)):
        raise UsageError(
            "{target} holds other things than a page of `fastclf share` ({foreign}). Name another folder.",
            target=target,
            foreign=foreign,
        )
    if reason := find_write_error(target, _ROOM):
        raise UsageError(
            "The page cannot be written to {target} ({reason}). Name another folder.",
            target=target,
            reason=reason,
        )


def check_file(target: Path) -> None:
    """Refuse to write a page over anything but an earlier one."""
    if target.is_dir():
        raise UsageError("{target} is a folder. With --single-file, name an HTML file.", target=target)
    if target.suffix.lower() not in (".html", ".htm"):
        raise UsageError("{target} does not end with .html, as the one file of a page does.", target=target)
    if target.exists() and GENERATOR.encode() not in _read_head(target):
        raise UsageError("{target} is no page of `fastclf share`. Name another file.", target=target)
    target.absolute().parent.mkdir(parents=True, exist_ok=True)
    if reason := find_file_error(target):
        raise UsageError(
            "The page cannot be written to {target} ({reason}). Name another file.",
            target=target,
            reason=reason,
        )


def put_files(target: Path, files: Mapping[str, bytes]) -> None:
    """Write files into the folder in their order, and take away what an earlier page had besides."""
    old = _read_list(target)
    # both are ours until the end, also if it does not come
    _write_list(target, {*old, *files})
    for name, content in files.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        write_atomic(target / name, content)
    for name in old - set(files):
        (target / name).unlink(missing_ok=True)
    _write_list(target, set(files))


def _read_head(file: Path) -> bytes:
    with file.open("rb") as f:
        return f.read(2**20)


def _find_foreign(folder: Path) -> str | None:
    """Return the name of something that no page of ours put there."""
    ours = _read_list(folder)
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        top = name.partition("/")[0]
        if top in _ALLOWED:
            continue
        if path.is_symlink():  # none is ours, and it may lead anywhere
            return name
        if name in ours or path.is_dir() or any(map(is_stray, name.split("/"))):
            continue
        if not _is_temporary(name, ours):
            return name
    return None


def _is_temporary(name: str, ours: set[str]) -> bool:
    """Tell what a kill in the middle of writing a file leaves."""
    folder, _, last = name.rpartition("/")
    return any(
        one.rpartition("/")[0] == folder and last.startswith(f".{one.rpartition('/')[2]}.") for one in ours
    )


def _read_list(folder: Path) -> set[str]:
    try:
        found = json.loads((folder / LIST).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, TypeError, KeyError):
        return set()
    return {name for name in found if isinstance(name, str) and _is_inside(name)}


def _is_inside(name: str) -> bool:
    """Tell whether a name may be that of a file of ours: it leads neither elsewhere nor to the owner's."""
    parts = name.split("/")
    return (
        parts[0] not in _ALLOWED and "\\" not in name and not any(part in ("", ".", "..") for part in parts)
    )


def _write_list(folder: Path, names: set[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"files": sorted(names)}, indent=1, ensure_ascii=False)
    write_atomic(folder / LIST, f"{text}\n".encode())
