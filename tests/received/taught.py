"""Projects as Teach saves them, made without a browser: drawn photos, real features, a head fitted on them."""

from __future__ import annotations

import base64
import copy
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from fastclf.backbone import open_packaged
from fastclf.head.linear import LinearHead, fit_head
from fastclf.metrics import compute_softmax
from fastclf.model import open_session
from fastclf.photos import decode_photo

from ..drawing import COLOURS, draw_photo, encode

Values = dict[str, Any]
PER_CLASS, HELD = 6, 2
VOCAB = sorted(COLOURS)


@cache
def draw_members() -> dict[str, bytes]:
    """{file in the zip: bytes}: six photos a class."""
    return {
        f"photos/{k}/{n:05d}.jpg": encode(draw_photo(label, n, (48, 40)), "JPEG", quality=92)
        for k, label in enumerate(VOCAB)
        for n in range(PER_CLASS)
    }


@cache
def read_features() -> tuple[tuple[str, ...], Any]:
    """The files, and their features by the packaged network, straight through the graph."""
    body, members = open_packaged(), draw_members()
    images = [decode_photo(data).image for data in members.values()]
    found = open_session(body.graph).run(["features"], {"image": body.preprocess.batch(images)})[0]
    return tuple(members), np.asarray(found)


@cache
def fit() -> LinearHead:
    files, features = read_features()
    learned = [i for i, file in enumerate(files) if split_of(file) == "train"]
    return fit_head(features[learned], np.array([label_of(files[i]) for i in learned]))


def label_of(file: str) -> int:
    return int(file.split("/")[1])


def split_of(file: str) -> str:
    return "valid" if int(file.split("/")[2][:5]) >= PER_CLASS - HELD else "train"


@cache
def _describe() -> str:
    files, features = read_features()
    head, members = fit(), draw_members()
    logits = head.compute_logits(features)
    probs = compute_softmax(logits)
    first = [next(i for i, file in enumerate(files) if label_of(file) == k) for k in range(len(VOCAB))]
    values = describe(VOCAB, members, head, open_packaged().features_id)
    values["parity"] = [
        {"file": files[i], "logits": [*map(float, logits[i])], "probabilities": [*map(float, probs[i])]}
        for i in first
    ]
    return json.dumps(values)


def describe(vocab: list[str], members: Mapping[str, bytes], head: LinearHead, features_id: str) -> Values:
    """What `project.json` says, but for the page's answers."""
    return {
        "fastclf_project": 1, "fastclf": "0.1.0", "created": "2026-11-29T12:00:00Z", "title": "Colours",
        "vocab": list(vocab),
        "backbone": {"name": "tf_efficientnet_lite0", "features_id": features_id, "precision": "float32"},
        "head": {
            "weight": pack(head.weight), "bias": pack(head.bias), "shape": [*head.weight.shape],
            "strength": head.C, "folds": 4, "tried": [{"C": 0.02, "loss": 0.1, "accuracy": 0.9}],
        },
        "judged": {"photos": 18, "right": 18, "interval": [0.82, 1.0], "by": "cross-validation"},
        "photos": [
            {"file": file, "name": f"IMG {n}.jpg", "label": label_of(file), "group": f"burst {n}",
             "split": split_of(file), "sha256": hashlib.sha256(data).hexdigest()}
            for n, (file, data) in enumerate(members.items())
        ],
    }  # fmt: skip


def describe_project() -> Values:
    """What `project.json` of the drawn project says; the caller may change it."""
    return copy.deepcopy(json.loads(_describe()))


def pack(values: Any) -> str:
    return base64.b64encode(np.asarray(values, "<f4").tobytes()).decode()


def write_zip(file: Path, members: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    file.write_bytes(pack_zip(members, method))
    return file


def pack_zip(members: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def write_project(file: Path, change: Callable[[Values, dict[str, bytes]], object] | None = None) -> Path:
    """Write the drawn project, after `change` had a hand in its values and its photos."""
    values, members = describe_project(), dict(draw_members())
    if change:
        change(values, members)
    return write_zip(file, {"project.json": json.dumps(values).encode(), **members})
