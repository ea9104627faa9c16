"""The Classify tab's state: photos in, answers out, and what can be asked of an answer."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import traitlets

from ...errors import FastclfError, UnreadablePhotoError, UsageError
from ...photos import (
    MAX_BYTES,
    DecodedPhoto,
    Source,
    decode_photo,
    encode_jpeg,
    make_thumbnail,
)
from ...system import clean_text, hash_bytes, send_tally
from ..texts import say, translate
from ..widgets import Status, encode_large
from .answers import Answer, Said, build_table, find_sure

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
# Reports that one session sends to the owner's inbox.
MAX_REPORTS = 20
# What is kept of a large photo: enough for the network to see the same.
KEPT_BYTES, KEPT_SIDE = 2**20, 1600
LONGEST_NAME = 300
# Browsers send smaller copies; what comes with more than this was not scaled. A JPEG of more is read smaller.
MAX_PAGE_PIXELS = 40_000_000


def cut_name(name: object) -> str:
    """Return what a card calls a photo: whatever it is called, it is one line and not long."""
    return clean_text(name, LONGEST_NAME) or say("photo")


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
        # what the last removal took away, until the next one or a new upload
        self._removed: tuple[Answer, ...] = ()
        # hashes of the photos that were reported
        self._reported: set[str] = set()

    def find(self, key: object) -> Answer | None:
        """Return a card, or None where it has been removed."""
        return next((answer for answer in self.answers if answer.key == key), None)

    def refuse(self, reason: str) -> None:
        """Show that something cannot be done, and why."""
        self.status, self.message = Status.ERROR, reason

    def clear(self) -> None:
        """Take away all photos and answers; `restore` brings them back, `forget` ends that."""
        with self._lock:
            self._removed = self.answers
            self.answers, self.message, self.status = (), "", Status.EMPTY
        self.settle()

    def remove(self, key: int) -> None:
        """Take away one photo; `restore` brings it back."""
        with self._lock:
            self._removed = tuple(answer for answer in self.answers if answer.key == key)
            self.answers = tuple(answer for answer in self.answers if answer.key != key)
            if not self.answers:
                self.status, self.message = Status.EMPTY, ""

    def restore(self) -> None:
        """Bring back what the last removal took away, if nothing was done since."""
        with self._lock:
            back, self._removed = self._removed, ()
            if back:
                self.answers = tuple(sorted((*self.answers, *back), key=lambda answer: answer.key))
                self.status = Status.DONE

    def forget(self) -> None:
        """Let go for good of what was removed."""
        with self._lock:
            self._removed = ()
        self.settle()

    def begin_batch(self, least: int = 0) -> int:
        """Return the number of a new upload, at least `least`; its cards stand together."""
        with self._lock:
            self._removed = ()
            self._batch = max(self._batch + 1, least)
            return self._batch

    def describe_fault(self, fault: FastclfError) -> str:
        """Return a fault's sentence, or one without the host's paths."""
        words = fault.message
        if any(path in words for path in self._private):
            _logger.warning("A visitor was refused. %s", words)
            return say("That is not possible at the moment. Tell whoever runs this page.")
        return translate(words)

    def classify(self, files: Iterable[tuple[str, Source]]) -> None:
        """Answer about the photos of a plain upload, (name, bytes or path) of each."""
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
        name: object,
        source: Source,
        batch: int,
        order: int = 0,
        is_wanted: Callable[[], bool] = lambda: True,
        *,
        example: int = 0,
        said: Said | None = None,
    ) -> bool:
        """Answer about one photo; returns False where no photo can be answered, which `message` explains.

        `batch` and `order` say which upload it came with, and its place there. `is_wanted` is asked once the
        answer is there. A photo that cannot be read gets a card that says why. `example` is the number of an
        example of the page, `said` what was said of the photo's answer before.
        """
        try:
            if not self._has_room():
                return False
            self.status = Status.BUSY
            with self._work:
                answer = self._answer(cut_name(name), source, batch, order)
        except FastclfError as e:
            self.refuse(self.describe_fault(e))
            return False
        except Exception:
            _logger.exception("classifying failed")
            words = say("Something went wrong here, not with your photos. Reload the page and try again.")
            self.refuse(words)
            return False
        if is_wanted():
            self._append(replace(answer, example=example, said=said))
        self.status, self.message = Status.DONE, ""
        return True

    def refuse_photo(self, name: str, fault: UnreadablePhotoError, batch: int, order: int = 0) -> bool:
        """Add the card of a photo that did not come at all; returns False where there is no room for it."""
        if not self._has_room():
            return False
        self._append(_build_failed(cut_name(name), fault, batch, order))
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
        from ...model import trim_heap

        trim_heap()

    def explain(
        self,
        key: int,
        progress: Callable[[int, int], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Explanation:
        """Say which parts of the photo of a card speak for its answer; may raise a FastclfError.

        `progress` is called with (done, all) where it takes several steps, and `stop` is asked between them.
        """
        from ...model import explain_answer

        predictor = self._open_predictor()
        answer, image = self._open_photo(key, predictor.preprocess.decode)
        return explain_answer(predictor, image, answer.prediction.label, progress=progress, stop=stop)

    def report(self, key: int, label: str | None) -> bytes | None:
        """Take a visitor's word that an answer is wrong: into the inbox, else back as a zip's bytes.

        The label is the right class, or None for "none of these"; may raise a FastclfError. A photo is
        reported once.
        """
        from ...inbox import Claim, build_report_zip

        answer, image = self._open_photo(key)
        if answer.said is not None:
            raise UsageError("You have said already what this photo shows.")
        predictor, p = self._open_predictor(), answer.prediction
        if label is not None and label not in predictor.vocab:
            raise UsageError("{label!r} is no class of this model.", label=label)
        features_id = predictor.bundle.manifest.features_id
        claim = Claim(
            name=answer.name, answer=p.label, probability=p.probability, label=label, model=features_id
        )
        parcel = build_report_zip(image, claim) if self.inbox is None else None
        if self.inbox is not None:
            self._check_reports(answer)
            self.inbox.add(image, claim)
            self._reported.add(hash_bytes(answer.photo or b""))
            send_tally("report")
        self._mark(key, Said(label))
        return parcel

    def _check_reports(self, answer: Answer) -> None:
        """Refuse a second word on a photo, and more reports than one visitor has."""
        if hash_bytes(answer.photo or b"") in self._reported:
            raise UsageError("You have said already what this photo shows.")
        if len(self._reported) >= MAX_REPORTS:
            raise UsageError(
                "{n} reports are as many as one session sends. Thank you for all of them.", n=MAX_REPORTS
            )

    def _mark(self, key: int, said: Said) -> None:
        with self._lock:
            self.answers = tuple(replace(a, said=said) if a.key == key else a for a in self.answers)

    def read_large(self, key: int) -> bytes | None:
        """Return the photo of a card to be looked at closely, None where there is none."""
        answer = self.find(key)
        if answer is None or answer.photo is None:
            return None
        with self._work:
            return encode_large(answer.photo, answer.name)

    def build_table(self) -> bytes:
        """Return all answers of the session as CSV."""
        return build_table(self.answers)

    def _open_photo(
        self, key: int, decode: Callable[[bytes, str], DecodedPhoto] = decode_photo
    ) -> tuple[Answer, Image.Image]:
        answer = self.find(key)
        if answer is None or answer.photo is None:
            raise UsageError("This photo is not here any more. Add it again.")
        return answer, decode(answer.photo, answer.name).image

    def _answer(self, name: str, source: Source, batch: int, order: int) -> Answer:
        predictor = self._open_predictor()
        begun = time.perf_counter()
        try:
            # a small file may hold so many pixels that they take a gigabyte
            photo = predictor.preprocess.decode(source, name, max_pixels=MAX_PAGE_PIXELS)
        except UnreadablePhotoError as e:
            send_tally("unreadable")
            return _build_failed(name, e, batch, order)
        [prediction] = predictor.predict_images([photo.image], [name])
        seconds = time.perf_counter() - begun
        send_tally("answer", seconds=seconds, unfamiliar=bool(prediction.unfamiliar))
        return Answer(
            key=0, name=name, thumbnail=encode_jpeg(make_thumbnail(photo.image, THUMBNAIL_SIDE)),
            prediction=prediction, photo=_keep_photo(source, photo), batch=batch, order=order,
            sure=find_sure(predictor.bundle.manifest),
        )  # fmt: skip

    def _summarise(self, answers: tuple[Any, ...], left: int) -> None:
        failed = sum(a.prediction.error is not None for a in answers)
        words = say("{n} of {total} photos answered.", n=len(answers) - failed, total=len(answers))
        if left > 0:
            words += " " + say(
                "{n} more were skipped: at most {most} photos of {size} MB at once. Choose those again.",
                n=left, most=MAX_FILES, size=MAX_BYTES // 2**20,
            )  # fmt: skip
        self.message, self.status = words, Status.DONE
        self.settle()


def _build_failed(name: str, fault: UnreadablePhotoError, batch: int, order: int) -> Answer:
    from ...model import Prediction

    prediction = Prediction(name, error=fault.message)
    return Answer(key=0, name=name, thumbnail=None, prediction=prediction, batch=batch, order=order)


def _keep_photo(source: Source, photo: DecodedPhoto) -> bytes:
    """Return the file as it came where it is small, else the picture at a size that is enough."""
    is_small = isinstance(source, bytes | bytearray | memoryview) and len(source) <= KEPT_BYTES
    if is_small and max(photo.size) <= KEPT_SIDE:
        return bytes(source)  # type: ignore[arg-type]
    image = photo.image
    if max(image.size) > KEPT_SIDE:
        image = make_thumbnail(image, KEPT_SIDE)
    return encode_jpeg(image, 92)
