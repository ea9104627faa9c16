"""The model behind a page or an API: opened once, and again when its folder holds another one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import FastclfError
from ..system import start_thread

if TYPE_CHECKING:
    from .predictor import Predictor

_logger = logging.getLogger(__name__)

# How often a model is opened that is replaced each time while it is; chosen by hand.
_TRIES = 5


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
                    self._predictor, self._stamp = _open_whole(self.path)
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


def _open_whole(path: Path) -> tuple[Predictor, bytes]:
    """Open a model and return its stamp; one that is replaced meanwhile, half read, is opened again."""
    from .predictor import Predictor

    for left in reversed(range(_TRIES)):
        stamp = read_stamp(path)
        try:
            predictor = Predictor(path, threads=None)
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
