"""The installed fastclf as a wheel, so that a server gets the very version that was tried here."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from jupyter_core.paths import jupyter_path

from .. import __version__
from ..errors import UsageError
from ..system import write_atomic

_PACKAGE = Path(__file__).parents[1]
_TEMPLATE = "share/jupyter/voila/templates/fastclf"
_NAME = f"fastclf-{__version__}-py3-none-any.whl"
_WHEEL = "Wheel-Version: 1.0\nGenerator: fastclf\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
# the same bytes each time
_TIME = (2020, 1, 1, 0, 0, 0)


def write_wheel(folder: Path) -> Path:
    """Write a wheel of the fastclf that runs, whichever way it was installed; return its path.

    Raises
    ------
    UsageError
        If the installation lacks its page or its metadata.
    """
    info = f"fastclf-{__version__}.dist-info"
    try:
        installed = distribution("fastclf")
    except PackageNotFoundError:
        raise _say_incomplete("its metadata") from None
    members = dict(_list_members())
    members[f"{info}/METADATA"] = (installed.read_text("METADATA") or "").encode()
    members[f"{info}/WHEEL"] = _WHEEL.encode()
    members[f"{info}/entry_points.txt"] = b"[console_scripts]\nfastclf = fastclf.cli:main\n"
    record = [f"{name},{_hash(data)},{len(data)}" for name, data in members.items()]
    members[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, _TIME), data, zipfile.ZIP_DEFLATED)
    write_atomic(folder / _NAME, out.getvalue())
    return folder / _NAME


def _list_members() -> Iterator[tuple[str, bytes]]:
    """Yield (name in the wheel, bytes) of the package, its notebook and its page."""
    for file in sorted(_PACKAGE.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            yield file.relative_to(_PACKAGE.parent).as_posix(), file.read_bytes()
    # a checkout has these beside the package
    for name in ("dashboard.ipynb", "voila.json"):
        file = _PACKAGE.parent / name
        if not (_PACKAGE / "notebooks" / name).is_file() and file.is_file():
            yield f"fastclf/notebooks/{name}", file.read_bytes()
    template = _find_template()
    for file in sorted(template.rglob("*")):
        if file.is_file():
            name = file.relative_to(template).as_posix()
            yield f"fastclf-{__version__}.data/data/{_TEMPLATE}/{name}", file.read_bytes()


def _find_template() -> Path:
    """Return the folder of the page's template with what was bundled for it."""
    places = [_PACKAGE / "server" / "voila" / "fastclf", *map(Path, jupyter_path("voila/templates/fastclf"))]
    for place in places:
        if (place / "static" / "client.js").is_file():
            return place
    raise _say_incomplete("the dashboard's page")


def _say_incomplete(what: str) -> UsageError:
    return UsageError("This installation of fastclf lacks {what}. Install it again.", what=what)


def _hash(data: bytes) -> str:
    """Return a hash as a wheel's list of files has it."""
    return f"sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()}"
