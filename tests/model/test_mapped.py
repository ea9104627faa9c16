"""Mapped graphs: the plain graph's answers, weights that processes share, and no trust in what was changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import onnxruntime as ort
import pytest

from fastclf import Predictor
from fastclf.model import mapped, open_session
from fastclf.model.mapped import open_mapped
from fastclf.system import hash_file

from ..drawing import draw_photo, encode
from ..toy import write_large_graph
from .test_bundle import edit

FILES = ("model.onnx", "head.npz", "photos.csv")


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    return write_large_graph(tmp_path / "model.onnx")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "graphs"


def answer(session: ort.InferenceSession) -> np.ndarray:
    batch = np.random.default_rng(3).random((2, 3, 8, 8), dtype=np.float32)
    return np.concatenate(session.run(["logits", "features"], {"image": batch}), axis=1)


def check_same(session: ort.InferenceSession, graph: Path) -> None:
    assert np.abs(answer(session) - answer(open_session(graph, 1))).max() <= 1e-5


def list_kept(root: Path) -> list[Path]:
    return sorted(root.iterdir()) if root.is_dir() else []


def test_the_answers_are_the_plain_graphs_at_the_first_and_every_later_opening(
    graph: Path, root: Path
) -> None:
    for _ in range(3):
        check_same(open_mapped(graph, 1, root=root), graph)
    [kept] = list_kept(root)
    assert sorted(p.name for p in kept.iterdir()) == ["graph.onnx", "record.json", "weights.bin"]
    assert kept.stat().st_mode & 0o077 == root.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what is mapped")
def test_the_weights_are_mapped_and_not_copied(graph: Path, root: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from fastclf.model.mapped import open_mapped\n"
        "session = open_mapped(Path(sys.argv[1]), 1, root=Path(sys.argv[2]))\n"
        "print(Path('/proc/self/maps').read_text())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, graph, root], capture_output=True, text=True, check=True
    )
    assert f"{list_kept(root)[0].name}/weights.bin" in done.stdout


def _flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(data)


def _swap(kept: Path) -> None:
    """Put in other weights, with a record that fits them."""
    data = np.fromfile(kept / "weights.bin", np.float32) * np.float32(1.5)
    data.tofile(kept / "weights.bin")
    record = json.loads((kept / "record.json").read_text())
    record["files"]["weights.bin"] = hash_file(kept / "weights.bin")
    (kept / "record.json").write_text(json.dumps(record))


DAMAGE: dict[str, Any] = {
    "a byte of the weights": lambda kept: _flip(kept / "weights.bin"),
    "a byte of the graph": lambda kept: _flip(kept / "graph.onnx"),
    "weights cut off": lambda kept: (kept / "weights.bin").write_bytes(b"\0" * 100),
    "no weights": lambda kept: (kept / "weights.bin").unlink(),
    "no record": lambda kept: (kept / "record.json").unlink(),
    "a record of nothing": lambda kept: (kept / "record.json").write_text("[]"),
    "other weights with their hash": _swap,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_was_changed_is_not_used_and_is_written_anew(graph: Path, root: Path, damage: str) -> None:
    open_mapped(graph, 1, root=root)
    [kept] = list_kept(root)
    good = hash_file(kept / "weights.bin")
    DAMAGE[damage](kept)
    check_same(open_mapped(graph, 1, root=root), graph)
    [kept] = list_kept(root)
    assert hash_file(kept / "weights.bin") == good


def test_another_graph_gets_its_own(graph: Path, root: Path, tmp_path: Path) -> None:
    other = write_large_graph(tmp_path / "other.onnx", seed=1)
    for path in (graph, other, graph):
        check_same(open_mapped(path, 1, root=root), path)
    assert len(list_kept(root)) == 2
    # the same name with other bytes is another graph
    graph.write_bytes(other.read_bytes())
    check_same(open_mapped(graph, 1, root=root), other)


@pytest.mark.parametrize("fault", ["unwritable", "open to others", "another processor", "full disk"])
def test_where_nothing_can_be_kept_the_plain_graph_answers(
    graph: Path, root: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault == "unwritable":
        root.parent.write_text("a file is no folder")
    elif fault == "open to others":
        root.mkdir(parents=True)
        root.chmod(0o777)
    elif fault == "full disk":
        monkeypatch.setattr(mapped, "sync_file", Mock(side_effect=OSError(28, "No space left on device")))
    else:
        open_mapped(graph, 1, root=root)
        monkeypatch.setattr(mapped, "_describe_processor", lambda: ["another one"])
    check_same(open_mapped(graph, 1, root=root), graph)
    assert len(list_kept(root)) == (2 if fault == "another processor" else 0)


def test_a_graph_that_is_none_is_refused_as_the_plain_one_is(tmp_path: Path, root: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no graph" * 10**6)
    with pytest.raises(Exception, match=r"(?i)protobuf|load model"):
        open_mapped(broken, 1, root=root)
    assert list_kept(root) == []


def test_small_graphs_are_not_kept(tmp_path: Path, root: Path) -> None:
    open_mapped(write_large_graph(tmp_path / "small.onnx", wide=16), 1, root=root)
    assert list_kept(root) == []


def test_only_the_graphs_in_use_stay(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "_MOST_GRAPHS", 2)
    paths = [write_large_graph(tmp_path / f"{i}.onnx", seed=i) for i in range(3)]
    names = []
    for i, path in enumerate(paths[:2]):
        open_mapped(path, 1, root=root)
        [new] = [p for p in list_kept(root) if p.name not in names]
        names.append(new.name)
        os.utime(new / "record.json", (1000 + i, 1000 + i))
    open_mapped(paths[0], 1, root=root)  # used again, so the other one is the eldest
    stale = root / ".new-killed"
    stale.mkdir()
    os.utime(stale, (1000, 1000))
    open_mapped(paths[2], 1, root=root)
    left = {p.name for p in list_kept(root)}
    assert names[0] in left
    assert names[1] not in left
    assert len(left) == 2


@pytest.mark.slow
def test_processes_that_open_at_once_all_answer(graph: Path, root: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from fastclf.model.mapped import open_mapped\n"
        "from tests.model.test_mapped import answer\n"
        "print(answer(open_mapped(Path(sys.argv[1]), 1, root=Path(sys.argv[2]))).sum())"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", code, graph, root], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = {child.communicate(timeout=120)[0] for child in children}
    assert len(said) == 1
    assert float(said.pop()) == pytest.approx(float(answer(open_session(graph, 1)).sum()), abs=1e-2)
    assert len(list_kept(root)) == 1


def test_a_predictor_answers_the_same_from_a_mapped_graph(
    toy_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_large_graph(toy_model / "model.onnx")
    np.savez(toy_model / "head.npz", weight=np.zeros((3, 2048), np.float32), bias=np.zeros(3, np.float32))
    edit(toy_model, ood=None, files={name: hash_file(toy_model / name) for name in FILES})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    photo = encode(draw_photo("red", 1), "PNG")
    answers = [Predictor(toy_model).predict(photo).probs for _ in range(2)]
    assert len(list_kept(tmp_path / "fastclf" / "graphs")) == 1
    monkeypatch.setattr(mapped, "_LEAST_BYTES", 2**40)
    plain = Predictor(toy_model).predict(photo).probs
    assert answers == [pytest.approx(plain, abs=1e-5)] * 2
