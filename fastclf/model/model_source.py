"""The model behind a page or an API: opened once, and again when its folder holds another one."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import FastclfError
from ..system import start_thread

if TYPE_CHECKING:
    from .predictor import Predictor

_logger = logging.getLogger(__name__)

# How often a model is opened that is replaced each time while it is; chosen by hand.
_TRIES = 5
# Seconds that one thread may take for a photo, for a model that is kept open for forks: the default network
# takes 0.02, and nobody notices 0.1.
_QUICK = 0.1

# What `keep_model` opened: the folder, its predictor, and the folder's stamp.
_kept: tuple[Path, Predictor, bytes] | None = None


def keep_model(path: Path) -> None:
    """Open a model for all forks of this process, which share its memory.

    It answers in one thread, since a fork has none of its parent's others; a model that takes long in one is
    not kept, and each fork opens it for itself.

    Raises
    ------
    BundleError
        If the model does not open.
    """
    global _kept
    predictor, stamp = _open_whole(path, threads=1)
    times = []
    for _ in range(3):
        started = time.perf_counter()
        predictor.run(np.zeros((1, *predictor.preprocess.input_size), np.float32))
        times.append(time.perf_counter() - started)
    _kept = (path.absolute(), predictor, stamp) if min(times) <= _QUICK else None


def _find_kept(path: Path) -> tuple[Predictor, bytes] | None:
    """Return what was kept of a folder, if the folder still holds it."""
    if _kept is None or _kept[0] != path.absolute() or read_stamp(path) != _kept[2]:
        return None
    return _kept[1:]


class ModelSource:
    """Opens the bundle in a folder, in the background, and again when the folder holds another one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._predictor: Predictor | None = None
        self._stamp: bytes | None = None

    def start(self, on_fault: Callable[[str], None] | None = None) -> None:
        """Begin to open the model without waiting; a thread tells `on_fault` why it does not open."""
        start_thread(self._warm, on_fault)

    def open(self) -> Predictor:
        """Return the predictor of the model that the folder holds now.

        Raises
        ------
        BundleError
            If the model does not open.
        """
        return self.take()[0]

    def take(self) -> tuple[Predictor, bytes]:
        """Return the predictor as `open` does, and the stamp of its model: what `read_stamp` said of it."""
        with self._lock:
            if self._predictor is None or read_stamp(self.path) != self._stamp:
                try:
                    self._predictor, self._stamp = _find_kept(self.path) or _open_whole(self.path)
                except FastclfError as e:
                    if self._predictor is None:
                        raise
                    # somebody removed or damaged it; what is in memory still answers
                    _logger.warning("The model that is open goes on answering. %s", e)
            return self._predictor, self._stamp or b""

    def _warm(self, on_fault: Callable[[str], None] | None) -> None:
        try:
            self.open()
        except FastclfError as e:
            if on_fault:
                on_fault(e.message)
        except Exception:
            _logger.exception("opening the model failed")


def _open_whole(path: Path, threads: int | None = None) -> tuple[Predictor, bytes]:
    """Open a model and return its stamp; one that is replaced meanwhile, half read, is opened again."""
    from .predictor import Predictor

    for left in reversed(range(_TRIES)):
        stamp = read_stamp(path)
        try:
            predictor = Predictor(path, threads=threads)
        except FastclfError:
            if read_stamp(path) == stamp or not left:
                raise
            continue
        if read_stamp(path) == stamp or not left:
            break
    return predictor, stamp


def read_stamp(folder: Path) -> bytes:
    """Return what differs when a folder holds another model; nothing where it holds none."""
    try:
        return (folder / "bundle.json").read_bytes()
    except OSError:
        return b""
