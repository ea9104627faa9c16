"""A model of somebody else: its manifest with hostile values, and each of its files as any bytes."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from fastclf.card import repair_bundle
from fastclf.model import MANIFEST, ModelBundle, PhotoRow, Predictor

from ...toy import write_toy_bundle
from ..tape import Tape, change_value, list_places
from ..target import Target, make_folder

FILES = (MANIFEST, "head.npz", "ood.npz", "photos.csv", "model.onnx")


@cache
def make_model() -> tuple[Path, dict[str, bytes]]:
    rows = [PhotoRow(f"{n:064x}", "red", f"{n}", "train") for n in range(3)]
    folder = write_toy_bundle(make_folder() / "model", rows=rows, judged=True)
    return folder, {name: (folder / name).read_bytes() for name in (*FILES, "README.md", "card.html")
                    if (folder / name).is_file()}  # fmt: skip


def take_manifest(data: bytes) -> None:
    """Change some values, open the model as it is served, and ask it."""
    tape = Tape(data)
    _, files = make_model()
    values = json.loads(files[MANIFEST])
    places = list_places(values)
    for _ in range(1 + tape.number(4)):
        change_value(values, tape.choose(places), tape)
    try:
        text = json.dumps(values).encode()
    except TypeError:  # bytes are no JSON
        return
    _open({MANIFEST: text})


def take_file(data: bytes) -> None:
    """The first byte says which file the others are."""
    if data:
        _open({FILES[data[0] % len(FILES)]: data[1:]})


def _open(changed: dict[str, bytes]) -> None:
    folder, files = make_model()
    for name, content in {**files, **changed}.items():
        (folder / name).write_bytes(content)
    repair_bundle(folder)
    bundle = ModelBundle.load(folder, verify=False)
    str(bundle.title), bundle.example_files, bundle.preprocess, bundle.head, bundle.detector
    with Predictor(bundle, threads=1) as predictor:
        for answer in predictor.predict_many(bundle.example_files[:1]):
            assert answer.error or answer.label in bundle.vocab


def list_files() -> list[bytes]:
    _, files = make_model()
    return [bytes([number]) + files[name] for number, name in enumerate(FILES)]


TARGETS = [
    Target("manifest", take_manifest, lambda: [bytes(range(n, n + 12)) for n in range(0, 200, 10)]),
    Target(
        "model-file",
        take_file,
        list_files,
        (b"NaN", b"1e999", b"[" * 500, b'"vocab"', b"descr", b"shape", b"(99999999999,)", b"|O", b"PK\3\4",
         b"external", b"location", b"../", b"Loop", b"If", b"\xff\xff\xff\xff\x7f", b"\0"),
    ),
]  # fmt: skip
