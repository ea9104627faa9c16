"""What a file is that somebody wants taken in: told by its content, with nothing of it unpacked or run."""

from __future__ import annotations

from pathlib import Path

from ..collect import ReadLimits, read_archive
from ..errors import ArchiveError, ProjectError
from ..system import open_given_file
from .project import PROJECT_FILE

PROJECT, TEACHABLE, REPORT, LEARNER = "project", "Teachable Machine", "report", "Learner"
MANIFEST_FILE, REPORT_FILE = "manifest.json", "report.json"

_PICKLED = "data.pkl"
# Only names are looked at; a Learner may be large.
_MOST_BYTES, _LIMITS = 2**36, ReadLimits(members=100_000)


def find_file_kind(path: Path) -> str:
    """Return what a file holds: a `PROJECT`, a `TEACHABLE` one, a `REPORT`, or what may be a `LEARNER`.

    What is no zip file may be a pickle, which nothing here opens.

    Raises
    ------
    ProjectError
        If there is no file, it cannot be read, or is a zip file of something else.
    """
    if not _is_zip(path):
        return LEARNER
    try:
        names = _list_names(path)
    except ArchiveError as e:
        if path.suffix.lower() not in (".zip", ".tm"):
            return LEARNER
        raise ProjectError(e.message) from None
    for file, kind in ((PROJECT_FILE, PROJECT), (REPORT_FILE, REPORT), (MANIFEST_FILE, TEACHABLE)):
        if file in names:
            return kind
    if any(name.rpartition("/")[2] == _PICKLED for name in names):
        return LEARNER
    raise ProjectError(
        "{path} is neither a project (it has no {file}), nor one of Teachable Machine, nor a Learner. For a "
        "zip file of photos: fastclf recipes new mine.toml, with its path below [folder].",
        path=path,
        file=PROJECT_FILE,
    )


def _list_names(path: Path) -> list[str]:
    names = list[str]()

    def note(name: str) -> bool:
        names.append(name)
        return False

    for _ in read_archive(path, note, limits=_LIMITS):
        pass
    return names


def _is_zip(path: Path) -> bool:
    try:
        with open_given_file(path, _MOST_BYTES) as file:
            return file.read(4) in (b"PK\3\4", b"PK\5\6")
    except OSError as e:
        raise ProjectError(
            "{path} cannot be read ({reason}). Name a project's zip file, a .tm file, or what "
            "`learn.export('export.pkl')` wrote.",
            path=path,
            reason=e.strerror,
        ) from None
