"""A bundle as scripts that a page without a server loads: graph, runtime, head and examples."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import lzma
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ...errors import UsageError
from ...model import ModelBundle, Predictor, describe_answers, quantise_weights, record_answers
from ..classify import find_sure
from .graph import check_onnx, cut_graph, open_graph
from .pack import write_pack

Array = npt.NDArray[Any]
Parts = Mapping[str, Any]

PRECISIONS = ("int8", "float32")

_STATIC = Path(__file__).parent / "static"
_RUNTIME = "runtime.wasm.xz"
# Characters of one script: so often a slow line shows progress.
_PART = 2**19
# Fewer places a side than this tell nothing of where, see fastclf.model.explain.
LEAST_PLACES = 4
# Arrays of a detector that are few numbers.
_EXACT = ("usual", "spread")


def check_precision(precision: str) -> None:
    """Refuse a precision that there is not, with a UsageError."""
    if precision not in PRECISIONS:
        raise UsageError("The precision is {given!r}; it is int8 or float32.", given=precision)


def say_nothing(step: str) -> None:
    """Hear of a step."""


def write_data(
    bundle: ModelBundle,
    folder: Path,
    *,
    precision: str = "int8",
    tell: Callable[[str], object] = say_nothing,
) -> list[str]:
    """Write a bundle's data as classic scripts, which a page from a disk may load, too.

    Each script hands a part of something over, ``fastclfTake(name, index, count, base64)``. A refit of the
    head changes `head.js` alone.

    Parameters
    ----------
    bundle
        The model.
    folder
        Where the scripts go; it is made if there is none.
    precision
        Of the weights, one of `PRECISIONS`.
    tell
        Called with the step that begins: ``shrink``, ``pack``.

    Returns
    -------
    The scripts' names in the order in which they are to be loaded.

    Raises
    ------
    MissingExtraError
        If the package onnx is not installed.
    UsageError
        If there is no such precision.
    BundleError
        If the model does not run.
    """
    check_precision(precision)
    check_onnx()
    tell("shrink")
    with Predictor(bundle) as predictor:
        with_maps = min(predictor.map_size or (0, 0)) >= LEAST_PLACES
    graph = cut_graph(bundle.onnx_path.read_bytes(), with_maps=with_maps, int8=precision == "int8")
    tell("pack")

    def pack_head(parts: Parts) -> bytes:
        return _pack_head(bundle, graph, parts, precision)

    return write_parts(folder, "worker.js", graph, _pack_examples(bundle), pack_head)


def write_parts(
    folder: Path,
    worker: str,
    graph: bytes,
    examples: bytes,
    pack_head: Callable[[Parts], bytes],
    more: Mapping[str, bytes] | None = None,
) -> list[str]:
    """Write the scripts that bring worker, runtime, graph, examples, `more` and head; return their names."""
    blocks = {
        "worker": gzip.compress((_STATIC / worker).read_bytes(), mtime=0),
        "examples": gzip.compress(examples, mtime=0),
        "runtime": (_STATIC / _RUNTIME).read_bytes(),
        "graph": lzma.compress(graph, preset=9 | lzma.PRESET_EXTREME),
        **{name: gzip.compress(block, mtime=0) for name, block in (more or {}).items()},
    }
    texts = {name: _split(base64.b64encode(block).decode()) for name, block in blocks.items()}
    parts = {
        name: {"sizes": [*map(len, texts[name])], "sha256": hashlib.sha256(block).hexdigest()}
        for name, block in blocks.items()
    }
    head = gzip.compress(pack_head(parts), mtime=0)
    folder.mkdir(parents=True, exist_ok=True)
    return _write_scripts(folder, {"head": [base64.b64encode(head).decode()], **texts})


def _write_scripts(folder: Path, texts: Mapping[str, list[str]]) -> list[str]:
    names = []
    for name, parts in texts.items():
        for index, text in enumerate(parts):
            names.append(f"{name}.js" if len(parts) == 1 else f"{name}-{index + 1}.js")
            call = f"fastclfTake({json.dumps(name)},{index},{len(parts)},{json.dumps(text)});\n"
            (folder / names[-1]).write_text(call, encoding="ascii", newline="\n")
    return names


def _split(text: str) -> list[str]:
    return [text[at : at + _PART] for at in range(0, len(text), _PART)]


def _pack_examples(bundle: ModelBundle) -> bytes:
    photos = {file.name: np.frombuffer(file.read_bytes(), np.uint8) for file in bundle.example_files}
    return write_pack({"names": [*photos]}, photos)


def _pack_head(bundle: ModelBundle, graph: bytes, parts: Parts, precision: str) -> bytes:
    """Return all that a refit changes: the head, the detector, and what the page says of the model."""
    manifest, (weight, bias) = bundle.manifest, bundle.head
    session = open_graph(graph)

    def run(batch: Array) -> tuple[Array, Array]:
        [features] = session.run(["features"], {"image": batch})
        return features @ weight.T + bias, features

    arrays = {"weight": weight.astype(np.float32), "bias": bias.astype(np.float32)}
    found = _list_ood(bundle, int8=precision == "int8")
    arrays |= {f"ood.{name}": array for name, array in found.items()}
    sets = manifest.sets
    header = {
        "precision": precision,
        "parts": parts,
        "page": _describe_page(bundle),
        "preprocess": bundle.preprocess.to_dict(),
        "tall_first": shortens_columns_first(),
        "temperature": bundle.temperature,
        "sets": sets and {"coverage": sets.coverage, "threshold": sets.threshold},
        "ood": _describe_detector(bundle),
        "parity": describe_answers(record_answers(bundle, run)),
    }  # fmt: skip
    return write_pack(header, arrays)


def _describe_page(bundle: ModelBundle) -> dict[str, Any]:
    m = bundle.manifest
    said = {"title": m.title, "intro": m.intro, "colour": m.colour, "translations": m.translations}
    return {**said, "vocab": bundle.vocab, "sure": find_sure(m), "fastclf": m.fastclf, "created": m.created}


def _describe_detector(bundle: ModelBundle) -> dict[str, Any] | None:
    detector = bundle.detector
    if detector is None:
        return None
    rest = float(detector.to_arrays()["rest"])
    return {"kind": detector.kind, "threshold": detector.threshold_, "rest": rest}


def _list_ood(bundle: ModelBundle, *, int8: bool) -> dict[str, Array]:
    """Return the arrays of a detector; with `int8` its axes, most of the bytes, as whole numbers."""
    if bundle.detector is None:
        return {}
    found = {name: np.asarray(value) for name, value in bundle.detector.to_arrays().items() if name != "rest"}
    arrays = {k: v.astype(np.float64 if k in _EXACT else np.float32) for k, v in found.items()}
    if int8:
        arrays["axes"], arrays["scales"] = quantise_weights(arrays["axes"], 1)
    return arrays


def shortens_columns_first() -> bool:
    """Return whether this Pillow shortens the columns of a tall photo before its rows.

    Versions from 13 on do, which rounds otherwise; the page has to do the same.
    """
    noise = np.random.default_rng(0).integers(0, 256, (97, 31, 3), dtype=np.uint8)
    picture, way = Image.fromarray(noise), Image.Resampling.BILINEAR
    columns_first = picture.resize((31, 13), way).resize((17, 13), way)
    return picture.resize((17, 13), way).tobytes() == columns_first.tobytes()
