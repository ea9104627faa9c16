"""A page without a server on which classifiers are taught: `build_teach_site` writes it."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import __version__
from ...backbone import Backbone
from ...model import draw_picture
from ...photos import MAX_BYTES
from ..classify import SURE
from ..texts import LANGUAGES
from ..widgets import read_shorter, read_style
from .build import Site, hash_head, put_file, put_folder
from .data import Parts, check_precision, shortens_columns_first, write_parts
from .face import TEACHING
from .graph import check_onnx, cut_graph, open_graph
from .html import write_template
from .pack import write_pack
from .scripts import bring, fill_site
from .target import check_file, check_folder

_SHELL, _WORKER = "teach.js", "teach_worker.js"


def build_teach_site(
    body: Backbone, target: str | Path, *, precision: str = "int8", single_file: bool = False
) -> Site:
    """Write a page on which anybody teaches a classifier, with a backbone that looks at the photos.

    Parameters
    ----------
    body
        What gives the features: `open_packaged()`, or the body of a model.
    target
        The folder, which is made or, if it is an earlier page, renewed; with `single_file` the HTML file.
    precision
        Of the weights, see `write_data`.
    single_file
        Write one HTML file.

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
    >>> from fastclf.backbone import open_packaged
    >>> build_teach_site(open_packaged(), "teach").page.name
    'index.html'
    """
    check_precision(precision)
    check_onnx()
    target = Path(target)
    (check_file if single_file else check_folder)(target)
    with tempfile.TemporaryDirectory(prefix="fastclf-site-") as scratch:
        names = _write_data(body, Path(scratch), precision)
        data = {name: Path(scratch, name).read_bytes() for name in names}
    style = f"{read_style()}\n{read_shorter([Path(__file__).with_suffix('.css')])}"
    scripts = bring(_describe(), _SHELL, _WORKER, keeps=not single_file, head=hash_head(data))
    if single_file:
        return put_file(TEACHING, target, style, scripts, data)
    says = f"the network is {body.arch}, its licence: {body.licence}; "
    return put_folder(TEACHING, target, style, scripts, data, {}, says)


def _write_data(body: Backbone, folder: Path, precision: str) -> list[str]:
    graph = cut_graph(body.graph, with_maps=True, int8=precision == "int8")

    def pack_head(parts: Parts) -> bytes:
        return _pack_head(body, graph, parts, precision)

    examples = write_pack({"names": []}, {})
    return write_parts(folder, _WORKER, graph, examples, pack_head, {"page": _pack_page()})


def _pack_page() -> bytes:
    """Return what a classifier that was taught becomes a page of its own with, but for the classifier."""
    site = {name: value for name, value in _describe().items() if name != "teaches"}
    held, scripts = fill_site(site, "shell.js", _WORKER, keeps=False)
    page = {
        "html": write_template(TEACHING),
        "style": read_style(),
        "scripts": list(scripts.values()),
        "site": held,
    }
    return json.dumps(page, ensure_ascii=False).encode()


def _pack_head(body: Backbone, graph: bytes, parts: Parts, precision: str) -> bytes:
    """Return what the page has to know of the network, and its features of a drawn picture."""
    picture = draw_picture()
    resized = np.asarray(body.preprocess.resize(picture))
    [features] = open_graph(graph).run(["features"], {"image": body.preprocess.batch([picture])})
    known: npt.NDArray[Any] = features[0].astype(np.float32)
    backbone = {"name": body.arch, "features_id": body.features_id, "precision": precision}
    header = {
        "precision": precision,
        "parts": parts,
        "page": {"vocab": [], "sure": SURE, "fastclf": __version__, "backbone": backbone},
        "preprocess": body.preprocess.to_dict(),
        "tall_first": shortens_columns_first(),
        "temperature": 1.0,
        "sets": None,
        "ood": None,
        "parity": {"sha256": hashlib.sha256(resized.tobytes()).hexdigest()},
    }
    return write_pack(header, {"known": known})


def _describe() -> dict[str, Any]:
    return {
        "title": "",
        "intro": "",
        "accents": {},
        "translations": {},
        "vocab": [],
        "sure": SURE,
        "featuresId": "",
        "fastclf": __version__,
        "languages": LANGUAGES,
        "mostBytes": MAX_BYTES,
        "teaches": True,
    }
