"""The Classify tab's state: photos in, answers out, and what can be asked of an answer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import traitlets

from ...errors import FastclfError, UnreadablePhotoError, UsageProblem
from ...photos import MAX_BYTES, Source, decode_photo, encode_jpeg, make_thumbnail
from ..texts import say, translate
from ..widgets import Status
from .answers import Answer, build_table
from .kept_photo import check_pixels, keep_photo

if TYPE_CHECKING:
    from PIL import Image

    from ...inbox import Inbox
    from ...model import Explanation, Predictor

_logger = logging.getLogger(__name__)

# Photos of one plain upload: all of them travel in one message.
MAX_FILES = 20
# Photos of one session: each is kept until it is removed or the page is closed.
MAX_ANSWERS = 300
THUMBNAIL_SIDE = 480


class ClassifyModel(traitlets.HasTraits):
    """Photos in, answers out.

    Parameters
    ----------
    open_predictor
        Returns the predictor; may raise a FastclfError.
    inbox
        Where reports of wrong answers go; None where they are only handed out as a file.
    private
        What a visitor is not told: paths of the host. A fault that names one is logged instead.
    """

    status = traitlets.UseEnum(Status, default_value=Status.EMPTY)
    message = traitlets.Unicode()
    answers = traitlets.Tuple()
    # counts when the page may have missed cards
    resends = traitlets.Int(0)

    def __init__(
        self,
        open_predictor: Callable[[], Predictor],
        inbox: Inbox | None = None,
        private: Iterable[str] = (),
    ) -> None:
        super().__init__()
        self.inbox = inbox
        self._private = tuple(private)
        self._open_predictor = open_predictor
        # photos come from the page and from threads that fetch; one is decoded at a time
        self._lock, self._work = threading.RLock(), threading.Lock()
        self._number = 0
        self._batch = 0

    def find(self, key: object) -> Answer | None:
        """Return a card, or None where it has been removed."""
        return next((answer for answer in self.answers if answer.key == key), None)

    def refuse(self, reason: str) -> None:
        """Show that something cannot be done, and why."""
        self.status, self.message = Status.ERROR, reason

    def clear(self) -> None:
        """Forget all photos and answers."""
        with self._lock:
            self.answers, self.message, self.status = (), "", Status.EMPTY
        self._trim_heap()

    def remove(self, key: int) -> None:
        """Forget one photo."""
        with self._lock:
            self.answers = tuple(answer for answer in self.answers if answer.key != key)
            if not self.answers:
                self.status, self.message = Status.EMPTY, ""

    def begin_batch(self) -> int:
        """Return the number of a new upload; its cards stand together."""
        with self._lock:
            self._batch += 1
            return self._batch

    def describe_fault(self, fault: FastclfError) -> str:
        """Return a fault's sentence, or one without the host's paths."""
        words = str(fault)
        if any(path in words for path in self._private):
            _logger.warning("A visitor was refused. %s", words)
            return say("That is not possible at the moment. Tell whoever runs this page.")
        return translate(words)

    def classify(self, files: Iterable[tuple[str, Source]]) -> None:
        """Answer about the photos of a plain upload; one that fails gets a card that says why.

        Parameters
        ----------
        files
            (name, bytes or path) of each.
        """
        files = list(files)
        if not files:
            return
        taken, left = files[:MAX_FILES], len(files) - MAX_FILES
        batch, before = self.begin_batch(), len(self.answers)
        for number, (name, source) in enumerate(taken, 1):
            self.message = say("Looking at photo {n} of {total} ...", n=number, total=len(taken))
            if not self.add(name, source, batch, number):
                return
        self._summarise(self.answers[before:], left)

    def add(
        self,
        name: str,
        source: Source,
        batch: int,
        order: int = 0,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> bool:
        """Answer about one photo; returns False where no photo can be answered, which `message` explains.

        Parameters
        ----------
        name, source
            The photo.
        batch, order
            Which upload it came with, and its place there.
        is_wanted
            Asked once the answer is there; without it the photo is forgotten.
        """
        try:
            if not self._has_room():
                return False
            self.status = Status.BUSY
            with self._work:
                answer = self._answer(name, source, batch, order)
        except FastclfError as e:
            self.refuse(self.describe_fault(e))
            return False
        except Exception:
            _logger.exception("classifying failed")
            self.refuse(
                say("Something went wrong here, not with your photos. Reload the page and try again.")
            )
            return False
        if is_wanted():
            self._append(answer)
        self.status, self.message = Status.DONE, ""
        return True

    def refuse_photo(self, name: str, fault: UnreadablePhotoError, batch: int, order: int = 0) -> bool:
        """Add the card of a photo that did not come at all; returns False where there is no room for it."""
        from ...model import Prediction

        if not self._has_room():
            return False
        self._append(Answer(0, name, None, Prediction(name, error=str(fault)), None, batch, order))
        return True

    def _has_room(self) -> bool:
        if len(self.answers) < MAX_ANSWERS:
            return True
        self.refuse(say("{n} photos are as many as one session keeps. Clear some first.", n=MAX_ANSWERS))
        return False

    def _append(self, answer: Answer) -> None:
        with self._lock:
            self._number += 1
            self.answers = (*self.answers, replace(answer, key=self._number))

    def settle(self) -> None:
        """Hand memory back after an upload."""
        self._trim_heap()

    def explain(
        self,
        key: int,
        progress: Callable[[int, int], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Explanation:
        """Say which parts of a photo speak for its answer.

        Parameters
        ----------
        key
            The card.
        progress
            Called with (done, all) where it takes several steps.
        stop
            Asked between the steps.

        Raises
        ------
        FastclfError
            If the photo is gone or cannot be explained.
        """
        from ...model import explain_answer

        answer = self._require(key)
        image = self._open_photo(answer)
        return explain_answer(
            self._open_predictor(), image, answer.prediction.label, progress=progress, stop=stop
        )

    def report(self, key: int, label: str | None) -> bytes | None:
        """Take a visitor's word that an answer is wrong: into the inbox, else back as a zip's bytes.

        Parameters
        ----------
        key
            The card.
        label
            The right class; None for "none of these".

        Raises
        ------
        FastclfError
            If the photo is gone, the class unknown or the inbox full.
        """
        from ...inbox import build_report_zip

        answer = self._require(key)
        predictor = self._open_predictor()
        if label is not None and label not in predictor.vocab:
            raise UsageProblem("{label!r} is no class of this model.", label=label)
        image, p = self._open_photo(answer), answer.prediction
        claim: dict[str, Any] = {
            "answer": p.label, "probability": p.probability, "label": label,
            "model": str(predictor.bundle.manifest.get("features_id") or ""),
        }  # fmt: skip
        if self.inbox is None:
            return build_report_zip(image, answer.name, **claim)
        self.inbox.add(image, answer.name, **claim)
        return None

    def build_table(self) -> bytes:
        """Return all answers of the session as CSV."""
        return build_table(self.answers)

    def _require(self, key: int) -> Answer:
        answer = self.find(key)
        if answer is None or answer.photo is None:
            raise UsageProblem(say("This photo is not here any more."))
        return answer

    @staticmethod
    def _open_photo(answer: Answer) -> Image.Image:
        return decode_photo(answer.photo or b"", answer.name).image

    @staticmethod
    def _trim_heap() -> None:
        from ...model import trim_heap

        trim_heap()

    def _answer(self, name: str, source: Source, batch: int, order: int) -> Answer:
        from ...model import Prediction

        predictor = self._open_predictor()
        try:
            check_pixels(name, source)
            image = decode_photo(source, name).image
        except UnreadablePhotoError as e:
            return Answer(0, name, None, Prediction(name, error=str(e)), None, batch, order)
        [prediction] = predictor.predict_images([image], [name])
        thumbnail = encode_jpeg(make_thumbnail(image, THUMBNAIL_SIDE))
        return Answer(0, name, thumbnail, prediction, keep_photo(source, image), batch, order)

    def _summarise(self, answers: tuple[Any, ...], left: int) -> None:
        failed = sum(a.prediction.error is not None for a in answers)
        words = say("{n} of {total} photos answered.", n=len(answers) - failed, total=len(answers))
        if left > 0:
            words += " " + say(
                "{n} more were left out: at most {most} photos of {size} MB at once. Choose those again.",
                n=left, most=MAX_FILES, size=MAX_BYTES // 2**20,
            )  # fmt: skip
        self.message, self.status = words, Status.DONE
        self.settle()
