"""Graphs whose weights all processes share: the optimised form of a graph, kept and mapped into memory.

ONNX Runtime copies the weights of a plain graph into each process, and lays them out anew for the processor
at every opening. What it writes after that, with the weights in a file beside the graph, is opened without a
copy: the system maps the file once for all processes. The answers are the same to the bit.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import platform
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from ..system import find_user_cache, hash_file, lies_on_network, sync_file
from .session import PROVIDERS, build_session_options, default_threads, open_session

_logger = logging.getLogger(__name__)

_GRAPH, _WEIGHTS, _RECORD = "graph.onnx", "weights.bin", "record.json"
_SCHEMA = 1
# What is smaller is opened in an instant, and its weights are next to nothing.
_LEAST_BYTES = 4 * 2**20
# What is kept at most, the one in use aside.
_MOST_GRAPHS, _MOST_BYTES = 6, 2**30
_TOLERANCE = 1e-5


def open_mapped(path: Path, threads: int | None = None, *, root: Path | None = None) -> ort.InferenceSession:
    """Open a graph with its weights mapped from a file that all processes share, where that is possible.

    The first opening writes that file to the user's cache folder (`root`). It is used only while its bytes
    have the hashes that were recorded with it, on this processor and with this ONNX Runtime, for a graph with
    exactly these bytes, and while a trial run gives the plain graph's answer. Else it is written anew, and
    the plain graph is opened wherever that cannot be. What ONNX Runtime refuses, it raises its own error on.
    """
    threads = threads or default_threads()
    folder = _find_folder(path, root)
    if folder is None:
        return open_session(path, threads)
    return _open_kept(folder, threads) or _keep(path, folder, threads)


def _find_folder(path: Path, root: Path | None) -> Path | None:
    """Return where the mapped form of a graph belongs, or None where there can be none."""
    root = root or find_user_cache() / "graphs"
    try:
        if not _LEAST_BYTES <= path.stat().st_size <= _MOST_BYTES:
            return None
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        # a file that another machine removes there takes a process that has it mapped with it
        if not _is_private(root) or lies_on_network(root):
            return None
        parts = [_SCHEMA, hash_file(path), ort.__version__, *_describe_processor()]
    except OSError:
        return None
    return root / hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _is_private(root: Path) -> bool:
    """Return whether nobody else can write there."""
    if os.name != "posix":
        return True  # the user's own profile
    found = root.stat()
    return found.st_uid == os.getuid() and not found.st_mode & 0o022


def _describe_processor() -> list[str]:
    """Return what the layout of the weights depends on, as far as the system says it."""
    lines: list[str] = []
    with contextlib.suppress(OSError):
        text = Path("/proc/cpuinfo").read_text(errors="replace").partition("\n\n")[0]
        names = ("model name", "flags", "Features")
        lines = [line for line in text.splitlines() if line.startswith(names)]
    return [platform.system(), platform.machine(), platform.processor(), *lines]


def _open_kept(folder: Path, threads: int) -> ort.InferenceSession | None:
    """Open what was kept; what is not as it was recorded is thrown away."""
    if not folder.is_dir():
        return None
    try:
        record = json.loads((folder / _RECORD).read_bytes())
        for name in (_GRAPH, _WEIGHTS):
            if hash_file(folder / name) != record["files"][name]:
                raise ValueError(f"{name} is not as it was recorded")
        session = _open_optimised(folder, threads)
        _compare(_try_out(session), record["trial"])
        with contextlib.suppress(OSError):
            os.utime(folder / _RECORD)  # the eldest goes first
        return session
    except Exception as e:  # noqa: BLE001 - ONNX Runtime raises its own classes, straight below Exception
        _logger.info("the kept graph %s is not used (%s)", folder, e)
        shutil.rmtree(folder, ignore_errors=True)
        return None


def _keep(path: Path, folder: Path, threads: int) -> ort.InferenceSession:
    """Write the mapped form of a graph and open it; where that fails, open the graph as it is."""
    try:
        _make_room(folder.parent, path.stat().st_size)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as made:
            staging = Path(made, folder.name)
            staging.mkdir(mode=0o700)
            trial = _write_optimised(path, staging, threads)
            files = {name: hash_file(staging / name) for name in (_GRAPH, _WEIGHTS)}
            (staging / _RECORD).write_text(json.dumps({"files": files, "trial": trial}))
            for name in (*files, _RECORD):
                sync_file(staging / name)
            with contextlib.suppress(OSError):  # another process was faster
                staging.rename(folder)
    except Exception as e:  # noqa: BLE001 - a graph that ONNX Runtime refuses is refused again below
        _logger.info("the graph %s is not kept (%s)", path, e)
        return open_session(path, threads)
    return _open_kept(folder, threads) or open_session(path, threads)


def _write_optimised(path: Path, folder: Path, threads: int) -> dict[str, list[Any]]:
    """Let ONNX Runtime write the graph as it runs here; returns the plain graph's answer to a trial."""
    options = build_session_options(threads)
    options.optimized_model_filepath = str(folder / _GRAPH)
    prefix = "session.optimized_model_external_initializers_"
    options.add_session_config_entry(f"{prefix}file_name", _WEIGHTS)
    options.add_session_config_entry(f"{prefix}min_size_in_bytes", "1024")
    session = ort.InferenceSession(path, options, providers=PROVIDERS)
    return {name: value.tolist() for name, value in _try_out(session).items()}


def _open_optimised(folder: Path, threads: int) -> ort.InferenceSession:
    options = build_session_options(threads)
    # it is optimised already
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(folder / _GRAPH, options, providers=PROVIDERS)


def _try_out(session: ort.InferenceSession) -> dict[str, npt.NDArray[np.float32]]:
    """Return the answer to noise."""
    [given] = session.get_inputs()
    noise = np.random.default_rng(0).random((1, *given.shape[1:]), dtype=np.float32)
    names = ["features", "logits"]
    return dict(zip(names, session.run(names, {given.name: noise}), strict=True))


def _compare(found: dict[str, npt.NDArray[np.float32]], trial: dict[str, list[Any]]) -> None:
    for name, values in found.items():
        expected = np.asarray(trial[name], np.float32)
        scale = max(1.0, float(np.abs(expected).max()))
        if values.shape != expected.shape or not np.abs(values - expected).max() <= _TOLERANCE * scale:
            raise ValueError(f"its {name} differ from the plain graph's")


def _make_room(root: Path, size: int) -> None:
    """Remove what a killed process left, and the kept graphs that were not opened for longest."""
    for left in root.glob(".new-*"):
        if _age(left) > 3600:
            shutil.rmtree(left, ignore_errors=True)
    kept = sorted((f for f in root.iterdir() if not f.name.startswith(".")), key=_age)
    total = size
    for number, folder in enumerate(kept, 2):
        total += sum(f.stat().st_size for f in folder.glob("*"))
        if number > _MOST_GRAPHS or total > _MOST_BYTES:
            shutil.rmtree(folder, ignore_errors=True)


def _age(folder: Path) -> float:
    """Return the seconds since a folder was used."""
    record = folder / _RECORD
    with contextlib.suppress(OSError):
        return time.time() - (record if record.exists() else folder).stat().st_mtime
    return float("inf")
