"""Retraining in the background: state and rules; no widget is imported here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import traitlets

from ...errors import Message
from ...head import Refit
from ...system import start_thread
from ..widgets import Status, logged, say_fault
from .review import Retrainer

TICK = 1.0


class RetrainModel(traitlets.HasTraits):
    """A retraining that runs beside the page, and the choice that follows it.

    What it says in `message` is English, to be translated where it is shown. Without a retrainer, `why_not`
    says why there is nothing to retrain.
    """

    status = traitlets.UseEnum(Status, default_value=Status.EMPTY)
    message = traitlets.Unicode()
    seconds = traitlets.Int(0)
    result = traitlets.Instance(Refit, allow_none=True)

    def __init__(self, retrainer: Retrainer | None, why_not: str = "") -> None:
        super().__init__()
        self.retrainer = retrainer
        self.why_not = why_not or Message("There is no model here to retrain.")
        self._thread: threading.Thread | None = None

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
        self.seconds = 0
        self.status, self.message = Status.BUSY, Message("Retraining on the current labels ...")
        self._thread = start_thread(self._run, self.retrainer)
        return True

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

    def _run(self, retrainer: Retrainer) -> None:
        done = threading.Event()
        start_thread(self._tick, done)
        result: Refit | None = None
        status = Status.ERROR
        words: str = Message("Retraining failed; the old model is still in use.")
        try:
            result = retrainer.retrain()
            status, words = Status.DONE, Message("The new model is ready. Compare and choose.")
        except BaseException as e:
            words = say_fault(e, words)
        done.set()
        with logged("the result of the retraining could not be shown"):
            # the result first: who sees the status change finds it there
            self.result, self.message, self.status = result, words, status

    def _tick(self, done: threading.Event) -> None:
        start = time.monotonic()
        while not done.wait(TICK):
            with logged("the seconds could not be shown"):
                # a number of its own: a screen reader need not hear it every second
                self.seconds = round(time.monotonic() - start)

    def _choose(self, act: Callable[[Retrainer], str], failed: str) -> None:
        if self.retrainer is None or self.result is None:
            return
        try:
            words = act(self.retrainer)
        except Exception as e:
            self.message, self.status = say_fault(e, failed), Status.ERROR
        else:
            self.result, self.message, self.status = None, words, Status.READY
