"""Other processes: children for what would make the dashboard's heavy, and those of a training by several."""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import FastclfError, Message, MissingExtraError, pack_message, unpack_message
from .installed import advise_install
from .memory_limit import free_child

# How a child says: this package (named on stderr) is not installed; this went wrong (a sentence on stderr);
# there is not enough memory.
_MISSING, _FAILED, _NO_MEMORY = 3, 4, 5
# Seconds between two looks at a child, and those that one which is ended has to clear up.
_LOOK, _GRACE = 0.1, 5.0

# What a launcher of several processes sets: torchrun and accelerate the first pair, MPI one of the others.
_LAUNCHED = (
    ("RANK", "WORLD_SIZE"), ("PMI_RANK", "PMI_SIZE"), ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"),
)  # fmt: skip


def read_rank() -> tuple[int, int]:
    """Return the number of this process and how many were started together; (0, 1) where it is alone."""
    for rank, size in _LAUNCHED:
        if os.environ.get(size, "").isdigit():
            return int(os.environ.get(rank) or 0), int(os.environ[size])
    return 0, 1


def has_gpu() -> bool:
    """Return whether there is an NVIDIA GPU that this process may use; nothing is loaded to find out."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return False
    return Path("/dev/nvidia0").exists() or Path("/dev/dxg").exists() or bool(shutil.which("nvidia-smi"))


def run_child(
    module: str,
    args: Sequence[object],
    *,
    what: str,
    error: type[FastclfError],
    timeout: float,
    watch: Callable[[], object] | None = None,
) -> None:
    """Run a module's function ``main`` in a child process and wait; its failures become sentences.

    Parameters
    ----------
    module
        The module's name. A `FastclfError` that ``main`` raises is what `error` says.
    args
        What ``main`` is given, as texts.
    what
        What it does, as the beginning of a sentence ("Retraining").
    error
        What to raise when it fails.
    timeout
        Seconds until it is ended.
    watch
        Called several times a second while it works; what it raises ends the child and goes on from here.

    Raises
    ------
    MissingExtraError
        If it needs a package that is not installed.
    FastclfError
        An `error`, if it failed, died or took too long.
    """
    # -P and the path: the child finds what this process finds, and nothing in the working directory
    command, words = [sys.executable, "-P", "-m", __name__, module, *map(str, args)], Message(what)
    # into a file, which nobody waits for that the child leaves behind
    with tempfile.TemporaryFile() as log:
        try:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, env=_build_env()
            )
            free_child(child.pid)
            status = _wait_for(child, time.monotonic() + timeout, watch)
        except OSError as e:
            reason = e.strerror or e
            raise error("{what} could not be started ({reason}).", what=words, reason=reason) from None
        except subprocess.TimeoutExpired:
            raise error(
                "{what} took longer than {n:.0f} s and was ended; allow more time or fewer photos.",
                what=words,
                n=timeout,
            ) from None
        if status:
            log.seek(0)
            lines = log.read().decode("utf-8", "replace").strip().splitlines()
            raise _explain(words, status, lines[-1] if lines else "it said nothing", error)


def _wait_for(child: subprocess.Popen[bytes], until: float, watch: Callable[[], object] | None) -> int:
    """Return a child's exit status; whatever ends the waiting ends the child."""
    try:
        while True:
            left = until - time.monotonic()
            try:
                return child.wait(left if watch is None else max(0.0, min(_LOOK, left)))
            except subprocess.TimeoutExpired:
                if time.monotonic() >= until:
                    raise
            if watch is not None:
                watch()
    except BaseException:
        _end(child)
        raise


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a child, which may clear up first."""
    child.terminate()
    try:
        child.wait(_GRACE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _build_env() -> dict[str, str]:
    paths = os.pathsep.join(path for path in sys.path if path)
    # one thread is seldom slower on shared cores, and always gives the same bits
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return {**threads, **os.environ, "PYTHONPATH": paths}


def _explain(what: Message, status: int, said: str, error: type[FastclfError]) -> FastclfError:
    if status == _MISSING:
        return MissingExtraError(
            "{what} needs the package {name}, which is not installed. Run `{install}`.",
            what=what,
            name=said,
            install=advise_install("head"),
        )
    if status == _FAILED:
        return error(unpack_message(said))
    if status in (_NO_MEMORY, -getattr(signal, "SIGKILL", 9)):
        return error(
            "{what} was killed or ran out of memory. Close other programs, or take fewer photos at once.",
            what=what,
        )
    return error("{what} ended with status {status}: {said}.", what=what, status=status, said=said[:200])


def _run_main(module: str, *args: str) -> int:
    """Be the child: return the exit status that the parent understands."""
    # what is half written is cleared up by those who write
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_FAILED))
    try:
        importlib.import_module(module).main(*args)
    except MemoryError:
        return _NO_MEMORY
    except FastclfError as e:
        sys.stderr.write(f"{pack_message(e.message)}\n")
    except ImportError as e:
        sys.stderr.write(f"{e.name or e}\n")
        return _MISSING
    except OSError as e:
        sys.stderr.write(f"{e.strerror or e}{f' ({e.filename})' if e.filename else ''}.\n")
    else:
        return 0
    return _FAILED


if __name__ == "__main__":
    sys.exit(_run_main(*sys.argv[1:]))
