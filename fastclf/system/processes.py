"""Child processes for what would make the dashboard's process heavy: scikit-learn and SciPy."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from ..errors import FastclfError, MissingExtraError

# How a child says: this package (named on stderr) is not installed; this went wrong (a sentence on stderr);
# there is not enough memory.
MISSING, FAILED, NO_MEMORY = 3, 4, 5


def run_child(
    module: str, args: Sequence[object], *, what: str, error: type[FastclfError], timeout: float
) -> None:
    """Run ``python -m module args`` and wait; its failures become sentences.

    Parameters
    ----------
    module
        What to run. It exits with 0, or with one of `MISSING`, `FAILED` and `NO_MEMORY`.
    args
        Its arguments.
    what
        What it does, as the beginning of a sentence ("Retraining").
    error
        What to raise when it fails.
    timeout
        Seconds until it is ended.

    Raises
    ------
    MissingExtraError
        If it needs a package that is not installed.
    FastclfError
        An `error`, if it failed, died or took too long.
    """
    # -P and the path: the child finds what this process finds, and nothing in the working directory
    command = [sys.executable, "-P", "-m", module, *map(str, args)]
    with tempfile.TemporaryFile() as log:
        try:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, env=_build_env()
            )
        except OSError as e:
            raise error(f"{what} could not be started ({e.strerror or e}).") from None
        try:
            status = child.wait(timeout)
        except subprocess.TimeoutExpired:
            raise error(
                f"{what} took longer than {timeout:.0f} s and was ended; allow more time or fewer photos."
            ) from None
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
        if status:
            log.seek(0)
            lines = log.read().decode("utf-8", "replace").strip().splitlines()
            raise _explain(what, status, lines[-1] if lines else "it said nothing", error)


def _build_env() -> dict[str, str]:
    paths = os.pathsep.join(path for path in sys.path if path)
    # one thread is seldom slower on shared cores, and always gives the same bits
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return {**threads, **os.environ, "PYTHONPATH": paths}


def _explain(what: str, status: int, said: str, error: type[FastclfError]) -> FastclfError:
    if status == MISSING:
        return MissingExtraError(
            '{what} needs the package {said}, which is not installed. Run `pip install "fastclf[clean]"`.',
            what=what,
            said=said,
        )
    if status == FAILED:
        return error(said)
    if status in (NO_MEMORY, -getattr(signal, "SIGKILL", 9)):
        return error(
            f"{what} was killed or ran out of memory. Close other programs, or take fewer photos at once."
        )
    return error(f"{what} ended with status {status}: {said[:200]}.")
