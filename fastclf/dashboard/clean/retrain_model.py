"""Retraining in the background: state and rules; no widget is imported here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import traitlets

from ...errors import FastclfError, Message, StoppedError
from ...head import EarlierModel, Refit, RefitProgress
from ...system import start_thread
from ..widgets import Status, logged, say_fault
from .review import Retrainer

TICK = 1.0


class RetrainModel(traitlets.HasTraits):
    """A retraining that runs beside the page, the choice that follows it, and the models before.

    What it says in `message` is English, to be translated where it is shown. Without a retrainer, `why_not`
    says why there is nothing to retrain.
    """

    status = traitlets.UseEnum(Status, default_value=Status.EMPTY)
    message = traitlets.Unicode()
    seconds = traitlets.Int(0)
    progress = traitlets.Instance(RefitProgress, allow_none=True)
    result = traitlets.Instance(Refit, allow_none=True)

    def __init__(self, retrainer: Retrainer | None, why_not: str = "") -> None:
        super().__init__()
        self.retrainer = retrainer
        self.why_not = why_not or Message("There is no model here to retrain.")
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def find_blocker(self, pending: int) -> str:
        """Return why retraining cannot start now, with so many choices that wait; "" if it can."""
        if self.retrainer is None:
            return self.why_not
        if self.status is Status.BUSY:
            return Message("The model is being retrained.")
        if self.result is not None:
            return Message("Choose first between the new model and the old one.")
        if pending:
            return Message(
                "Apply or undo the waiting changes first: the model learns only from what is applied."
            )
        return ""

    def start(self, pending: int = 0) -> bool:
        """Begin to retrain in the background; tell whether that was possible."""
        blocker = self.find_blocker(pending)
        if blocker:
            self.message = blocker
            return False
        self.seconds, self.progress = 0, None
        self._stopping.clear()
        self.status, self.message = Status.BUSY, Message("Retraining on the current labels ...")
        self._thread = start_thread(self._run, self.retrainer)
        return True

    def cancel(self) -> None:
        """End the retraining that runs; nothing changes."""
        self._stopping.set()

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the retraining that runs is over."""
        if self._thread is not None:
            self._thread.join(timeout)

    def use_new(self) -> None:
        """Put the new model in the old one's place."""
        failed = Message("The new model could not be put in place; the old one stays.")
        self._choose(lambda retrainer: retrainer.use_new(), failed)

    def keep_old(self) -> None:
        """Forget the new model."""
        failed = Message("The new model could not be removed; the old one is in use.")
        self._choose(lambda retrainer: retrainer.keep_old(), failed)

    def list_earlier(self) -> Sequence[EarlierModel]:
        """Return the models that can be used again now, the last one first."""
        if self.retrainer is None or self.status is Status.BUSY or self.result is not None:
            return ()
        try:
            return self.retrainer.list_earlier()
        except (FastclfError, OSError):
            return ()

    def use_earlier(self, stamp: str) -> None:
        """Put an earlier model back into its place."""
        if self.retrainer is not None and self.status is not Status.BUSY and self.result is None:
            failed = Message("The earlier model could not be put in place; the one in use stays.")
            self._act(self.retrainer, lambda retrainer: retrainer.use_earlier(stamp), failed)

    def _run(self, retrainer: Retrainer) -> None:
        done = threading.Event()
        start_thread(self._tick, done)
        result: Refit | None = None
        status = Status.ERROR
        words: str = Message("Retraining failed; the old model is still in use.")
        try:
            result = retrainer.retrain(self._follow)
            status, words = Status.DONE, Message("The new model is ready. Compare and choose.")
        except StoppedError:
            status, words = Status.READY, Message("Retraining was cancelled. Nothing has changed.")
        except BaseException as e:
            words = say_fault(e, words)
        done.set()
        with logged("the result of the retraining could not be shown"):
            # the result first: who sees the status change finds it there
            self.result, self.message, self.status = result, words, status

    def _follow(self, progress: RefitProgress) -> None:
        if self._stopping.is_set():
            raise StoppedError("Retraining was cancelled.")
        with logged("the progress of the retraining could not be shown"):
            self.progress = progress

    def _tick(self, done: threading.Event) -> None:
        start = time.monotonic()
        while not done.wait(TICK):
            with logged("the seconds could not be shown"):
                # a number of its own: a screen reader need not hear it every second
                self.seconds = round(time.monotonic() - start)

    def _choose(self, act: Callable[[Retrainer], str], failed: str) -> None:
        if self.retrainer is not None and self.result is not None:
            self._act(self.retrainer, act, failed)

    def _act(self, retrainer: Retrainer, act: Callable[[Retrainer], str], failed: str) -> None:
        try:
            words = act(retrainer)
        except Exception as e:
            self.message, self.status = say_fault(e, failed), Status.ERROR
        else:
            # the status last: it may be what it was, and the models in the list are others now
            self.result, self.message, self.status = None, words, Status.READY
