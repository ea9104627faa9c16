"""What one photo costs on this machine: an exported network, timed in a process of its own, and kept."""

from __future__ import annotations

import contextlib
import json
import platform
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import onnxruntime as ort

from ..errors import ExportError, describe_error
from ..system import find_user_cache, run_child, utc_now, write_atomic
from .session import count_cores, default_threads, open_session, trim_heap

# A time is the median of at least so many runs, over at least so many seconds.
_RUNS, _SECONDS, _WARM_UP = 15, 1.0, 3


@dataclass(frozen=True)
class Latency:
    """What one photo of `size` by `size` pixels costs.

    Attributes
    ----------
    ms
        Median milliseconds of a run of the graph on one photo that is decoded and resized already.
    memory_mb
        Megabytes of its own that the process took for session and runs; None where the system does not say.
    measured
        When, as ISO 8601.
    """

    arch: str
    size: int
    ms: float
    memory_mb: float | None
    measured: str


@dataclass(frozen=True)
class Machine:
    """What a measured time depends on: the processor, how many of its cores and threads, ONNX Runtime."""

    cpu: str
    cores: int
    threads: int
    onnxruntime: str


class LatencyBook:
    """The times that were measured on a machine, by default this one, in a JSON file.

    By default it lies in the user's cache directory. A file that cannot be read counts as empty: what it held
    is measured again.
    """

    def __init__(self, path: Path | None = None, machine: Machine | None = None) -> None:
        self.path = path or find_user_cache() / "latency.json"
        self.machine = machine or describe_machine()

    def find(self, arch: str, size: int) -> Latency | None:
        """Return what was measured on this machine with this ONNX Runtime, or None."""
        rows = self._read()
        found = (_parse(row) for row in rows if self._is_of(row, arch, size))
        return next((latency for latency in found if latency), None)

    def store(self, latency: Latency) -> None:
        """Keep a time in place of an earlier one of the same kind; OSError if it cannot be written."""
        rows = [row for row in self._read() if not self._is_of(row, latency.arch, latency.size)]
        rows.append({**asdict(latency), **asdict(self.machine)})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self.path, json.dumps({"schema": 1, "times": rows}, indent=1).encode())

    def _read(self) -> list[dict[str, Any]]:
        try:
            rows = json.loads(self.path.read_bytes())["times"]
            return [row for row in rows if isinstance(row, dict)]
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def _is_of(self, row: dict[str, Any], arch: str, size: int) -> bool:
        wanted = {"arch": arch, "size": size, **asdict(self.machine)}
        return all(row.get(name) == value for name, value in wanted.items())


def _parse(row: dict[str, Any]) -> Latency | None:
    """Return a row of the file, or None where its numbers are none."""
    ms, memory = row.get("ms"), row.get("memory_mb")
    if not _is_amount(ms) or not (memory is None or _is_amount(memory)):
        return None
    return Latency(row["arch"], row["size"], ms, memory, str(row.get("measured", "")))


def _is_amount(value: Any) -> TypeGuard[float]:
    return type(value) in (int, float) and 0 < value < float("inf")


def describe_machine() -> Machine:
    """Return what the times of this process depend on."""
    return Machine(_read_cpu(), count_cores(), default_threads(), ort.__version__)


def time_graph(graph: Path, arch: str, size: int) -> Latency:
    """Measure a bundle's graph in a fresh process, opened as `Predictor` opens it.

    Decoding and resizing are left out; `size` is the height and width of its input in pixels. A file beside
    it takes the result. ExportError is raised if ONNX Runtime does not run it.
    """
    out = graph.with_suffix(".json")
    run_child(
        "fastclf.model.cost", [graph, size, out], what=f"Measuring {arch}", error=ExportError, timeout=300
    )
    return Latency(arch, size, **json.loads(out.read_bytes()), measured=utc_now())


def main(graph: str, size: str, out: str) -> None:
    """Do what `time_graph` asks for, in the child process."""
    try:
        result = _measure(graph, int(size))
    except Exception as e:
        # ONNX Runtime raises its own classes, straight below Exception
        raise ExportError("ONNX Runtime does not run the graph ({reason}).", reason=describe_error(e)) from e
    Path(out).write_text(json.dumps(result))


def _measure(graph: str, size: int) -> dict[str, float | None]:
    batch = np.random.default_rng(0).random((1, 3, size, size), dtype=np.float32)
    before = _read_own_memory()
    session = open_session(Path(graph))
    trim_heap()
    times: list[float] = []
    began = time.perf_counter()
    while len(times) < _WARM_UP + _RUNS or time.perf_counter() - began < _SECONDS:
        started = time.perf_counter()
        session.run(["logits", "features"], {"image": batch})
        times.append(time.perf_counter() - started)
    after = _read_own_memory()
    memory = None if before is None or after is None else round(max(after - before, 0.1), 1)
    return {"ms": round(1000 * statistics.median(times[_WARM_UP:]), 3), "memory_mb": memory}


def _read_own_memory() -> float | None:
    """Return the megabytes that only this process holds, where the system is Linux."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1000
    return None


def _read_cpu() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
