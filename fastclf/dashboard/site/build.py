"""A model as a page without a server: `build_site` writes the folder, or the one file."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template

from ...card import build_card_html
from ...model import ModelBundle
from ...system import hash_bytes, write_atomic
from ..widgets import read_style, write_snippet
from .data import say_nothing, write_data
from .face import Face
from .html import write_page, write_single_page
from .icons import SIZES, draw_png, draw_svg
from .kept import MANIFEST, WORKER, write_manifest, write_worker
from .scripts import write_scripts
from .target import check_file, check_folder, put_files


@dataclass(frozen=True)
class Site:
    """What was written.

    Attributes
    ----------
    path
        The folder, or the one file.
    page
        What to open.
    size
        Bytes of all files together.
    """

    path: Path
    page: Path
    size: int


def build_site(
    bundle: ModelBundle,
    target: str | Path,
    *,
    precision: str = "int8",
    single_file: bool = False,
    tell: Callable[[str], object] = say_nothing,
) -> Site:
    """Write a model as a page that answers in its visitors' browsers.

    Parameters
    ----------
    bundle
        The model.
    target
        The folder, which is made or, if it is an earlier page, renewed; with `single_file` the HTML file.
    precision
        Of the weights, see `write_data`.
    single_file
        Write one HTML file.
    tell
        Called with the step that begins: ``shrink``, ``pack``, ``write``.

    Returns
    -------
    Site
        Where it is, what to open, and how large it is.

    Raises
    ------
    UsageError
        If `target` holds other things or cannot be written, or there is no such precision.
    MissingExtraError
        If the package onnx is not installed.

    Examples
    --------
    >>> from fastclf import ModelBundle
    >>> site = build_site(ModelBundle.load("model"), "site")
    >>> site.page.name, site.size > 10_000
    ('index.html', True)
    """
    target = Path(target)
    (check_file if single_file else check_folder)(target)
    with tempfile.TemporaryDirectory(prefix="fastclf-site-") as scratch:
        names = write_data(bundle, Path(scratch), precision=precision, tell=tell)
        data = {name: Path(scratch, name).read_bytes() for name in names}
    tell("write")
    face = Face.of_model(bundle)
    scripts = write_scripts(bundle, keeps=not single_file, head=hash_head(data))
    if single_file:
        return put_file(face, target, read_style(), scripts, data)
    card = {"card.html": build_card_html(bundle.manifest.to_dict()).encode()}
    says = "`card.html` says what the model is for and how good it is; "
    return put_folder(face, target, read_style(), scripts, data, card, says)


def put_file(
    face: Face, target: Path, style: str, scripts: Mapping[str, str], data: Mapping[str, bytes]
) -> Site:
    """Write a page as one file: its own scripts, and those that bring the data."""
    texts = [*scripts.values(), *(part.decode("ascii") for part in data.values())]
    page = write_single_page(face, style, texts).encode()
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(target, page)
    return Site(target, target, len(page))


def put_folder(
    face: Face,
    target: Path,
    style: str,
    scripts: Mapping[str, str],
    data: Mapping[str, bytes],
    more: Mapping[str, bytes],
    readme: str,
) -> Site:
    """Write a page as a folder; the browser keeps `more` files, too, and `readme` says what they are."""
    own = {name: text.encode() for name, text in scripts.items()}
    parts = {f"parts/{name}": content for name, content in (own | dict(data)).items()}
    style_name = f"parts/style-{hash_bytes(style.encode())[:8]}.css"
    versions = {name: hash_bytes(content)[:8] for name, content in parts.items()}
    page = write_page(face, style_name, versions).encode()
    shown = {
        **parts,
        style_name: style.encode(),
        **more,
        "icon.svg": draw_svg(face.colour).encode(),
        **{f"icon-{n}.png": draw_png(face.colour, n) for n in SIZES},
        MANIFEST: write_manifest(face).encode(),
    }
    beside = {
        WORKER: write_worker({"./": page, **shown}).encode(),
        "README.md": _write_readme(face, readme).encode(),
        "licences.txt": _read_licences(),
        ".nojekyll": b"",
    }
    # the page comes last: until then an earlier one, with its own parts, is the one that is opened
    files = {**shown, **beside, "index.html": page}
    put_files(target, files)
    return Site(target, target / "index.html", sum(map(len, files.values())))


def hash_head(data: Mapping[str, bytes]) -> str:
    """Return the hash of what the head's script hands over."""
    [text] = re.findall(rb'"([^"]*)"\);\s*$', data["head.js"])
    return hashlib.sha256(base64.b64decode(text)).hexdigest()


def _write_readme(face: Face, more: str) -> str:
    template = (resources.files(__package__) / "readme.md").read_text(encoding="utf-8")
    # the title is written as YAML above, and as a heading below
    head, line, body = template.partition("\n# $title\n")
    quoted = json.dumps(face.title, ensure_ascii=False)
    fields = {
        "title": face.title,
        "what": face.what,
        "holds": face.holds,
        "more": more,
        "snippet": write_snippet(face.title),
    }
    return Template(head).substitute(title=quoted) + Template(line + body).substitute(fields)


def _read_licences() -> bytes:
    return (resources.files(__package__) / "static" / "licences.txt").read_bytes()
