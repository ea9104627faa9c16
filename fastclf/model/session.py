"""Opening ONNX graphs: the one place where a session's options are chosen."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnxruntime as ort

PROVIDERS = ["CPUExecutionProvider"]


def build_session_options(threads: int) -> ort.SessionOptions:
    """Return the session options of every fastclf session: passive waits, no growing memory arena."""
    import onnxruntime as ort  # counting cores needs none of it

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    return options


def open_session(graph: Path | bytes, threads: int | None = None) -> ort.InferenceSession:
    """Open a graph (a file or bytes) as every session is opened; by default a thread a core, four at most."""
    import onnxruntime as ort

    options = build_session_options(threads or default_threads())
    return ort.InferenceSession(graph, options, providers=PROVIDERS)


def default_threads() -> int:
    """Return how many threads a prediction may use where nobody says: one a core, four at most."""
    return min(4, count_cores())


def count_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def trim_heap() -> None:
    """Hand freed memory back to the system, where the C library is glibc; elsewhere do nothing.

    Opening a graph leaves three copies of its weights freed but resident: 85 MB with resnet18.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)
