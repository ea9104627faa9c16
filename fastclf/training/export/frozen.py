"""A pretrained body of any architecture as a frozen graph: made with torch once, and kept."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import timm
import torch

from ...backbone import Backbone, find_body_cache
from ...model import BODY, Preprocess
from ...system import hash_file, replaced_folder
from ..data import build_resize
from ..network import (
    build_learner,
    describe_weights,
    find_fixed_size,
    read_preprocess,
    save_body,
)
from .blank import build_blank_dls
from .graph import ExportNet, write_graph

_GRAPH, _RECORD = "body.onnx", "record.json"


def freeze_body(
    arch: str,
    *,
    size: int | None = None,
    resize: str = "published",
    weights: str | None = None,
    root: Path | None = None,
) -> tuple[Backbone, dict[str, Path]]:
    """Return a pretrained network as a frozen graph, and the file of its weights under its name in a model.

    Parameters
    ----------
    arch
        A torchvision or timm name.
    size
        Height and width of its input in pixels; by default the only size that it takes, else 224.
    resize
        How photos reach that size: "published", "squish", "crop" or "pad".
    weights
        A file of weights; by default those that are published.
    root
        Where graphs are kept; by default the user's cache folder.

    Raises
    ------
    UsageError, WeightsError, ExportError
        As `build_learner` and `write_graph` say.
    """
    size = size or find_fixed_size(arch) or 224
    least_side = Preprocess.build(size, resize).least_side
    facts = {
        "arch": arch, "size": size, "resize": resize, "weights": weights and hash_file(Path(weights)),
        "least_side": least_side, "versions": [torch.__version__, timm.__version__],
    }  # fmt: skip
    folder = _find_root(root) / hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
    kept = _open_kept(folder)
    if kept is None:
        shutil.rmtree(folder, ignore_errors=True)
        kept = _make(folder, arch, size, resize, weights, least_side)
    return kept, {BODY: folder / BODY}


def _find_root(root: Path | None) -> Path:
    """Return where graphs are kept: the user's cache, or a temporary folder where that cannot be written."""
    root = root or find_body_cache()
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        return Path(tempfile.mkdtemp(prefix="fastclf-bodies-"))
    return root


def _make(folder: Path, arch: str, size: int, resize: str, weights: str | None, least_side: int) -> Backbone:
    learn = build_learner(build_blank_dls(size, build_resize(size, resize)), arch, weights=weights)
    preprocess = replace(read_preprocess(learn), least_side=least_side)
    licence = describe_weights(arch, weights=weights)
    with replaced_folder(folder) as staging:
        save_body(learn, staging / BODY)
        write_graph(ExportNet(learn), preprocess, staging / _GRAPH)
        files = {name: hash_file(staging / name) for name in (BODY, _GRAPH)}
        record = {
            "arch": arch, "published": weights is None, "licence": licence,
            "preprocess": preprocess.to_dict(), "files": files,
        }  # fmt: skip
        (staging / _RECORD).write_text(json.dumps(record), encoding="utf-8")
    return Backbone.build(arch, (folder / _GRAPH).read_bytes(), preprocess, licence)


def _open_kept(folder: Path) -> Backbone | None:
    """Return what was kept, None where it is not as it was recorded."""
    try:
        record: dict[str, Any] = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        if any(hash_file(folder / name) != known for name, known in record["files"].items()):
            return None
        preprocess = Preprocess.from_dict(record["preprocess"])
        return Backbone.build(record["arch"], (folder / _GRAPH).read_bytes(), preprocess, record["licence"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
