"""One model for all callers: a bounded queue, threads that decode and run it, an end that loses nothing."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import FastclfError, StoppedError, UnreadablePhotoError
from ..model import Prediction, count_cores, explain_answer, trim_heap
from ..photos import MAX_BYTES, count_pixels
from .limits import (
    END_SECONDS,
    LARGE_PIXELS,
    MAP_SIDE,
    MOST_HELD,
    MOST_PIXELS,
    MOST_WAITING,
    TRIM_SECONDS,
)
from .problem import ProblemError, find_problem

if TYPE_CHECKING:
    from PIL import Image

    from ..inbox import Claim, Inbox
    from ..model import ModelSource, Predictor
    from .counts import Counts

T = TypeVar("T")
_WAY = "api"
_BUSY = "Many photos wait here already. Send yours again in {n} s."
_ENDING = "This server is about to stop. Send your photos again in a minute."
_PAUSE = 0.05


@dataclass(frozen=True)
class SentPhoto:
    """A photo that a caller sent: what it is called, and its file's bytes, or why there are none."""

    name: str
    data: bytes = b""
    fault: UnreadablePhotoError | None = None


@dataclass(frozen=True)
class OpenModel:
    """The model that answers a request, all of it: its predictor, and the hash that tells it from others."""

    predictor: Predictor
    hash: str


@dataclass(frozen=True)
class Said:
    """What is said of one photo: the answer, and the explanation as a PNG where it was asked for."""

    prediction: Prediction
    explanation: dict[str, str] | None = None

    def to_dict(self, top: int | None = None) -> dict[str, Any]:
        """Return the fields as JSON values, with the `top` most probable classes alone."""
        found = self.prediction.to_dict()
        if top is not None and found["probs"] is not None:
            found["probs"] = dict(list(found["probs"].items())[:top])
        return found if self.explanation is None else {**found, "explanation": self.explanation}


class Service:
    """Answers about photos in threads: ONNX Runtime and Pillow let others run meanwhile.

    Its methods are called in the thread of the server's loop.

    Parameters
    ----------
    source
        Opens the model, and opens it again when the folder holds another one.
    inbox
        Where reports go; None where none are kept.
    counts
        What is counted.
    """

    def __init__(self, source: ModelSource, inbox: Inbox | None, counts: Counts) -> None:
        self._source, self._inbox, self._counts = source, inbox, counts
        self._workers = count_cores()
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="api")
        # a photo of many pixels takes hundreds of megabytes while it is decoded: one at a time
        self._large = ThreadPoolExecutor(1, thread_name_prefix="api-large")
        # opening a model takes a second, in which the other one still answers
        self._aside = ThreadPoolExecutor(2, thread_name_prefix="api-aside")
        self._waiting, self._held = 0, 0
        self._ending = False
        self._trimmed = 0.0
        self._seconds = 0.1
        self._stamp: tuple[bytes, str] = (b"", "")

    @property
    def keeps_reports(self) -> bool:
        """Whether there is an inbox."""
        return self._inbox is not None

    def hold(self, size: int) -> None:
        """Make room for the bytes of a body; ProblemError 429 where too many are here, 503 at the end."""
        if self._ending:
            raise ProblemError(503, _ENDING, headers={"Retry-After": "60"})
        if self._held + size > MOST_HELD:
            raise self._build_busy()
        self._held += size

    def release(self, size: int) -> None:
        """Give back what `hold` took."""
        self._held -= size

    async def open(self) -> OpenModel:
        """Return the model that the folder holds now; ProblemError 503 where it does not open."""
        try:
            predictor, stamp = await self.call_aside(self._source.take)
        except FastclfError as e:
            raise find_problem(e) from e
        if stamp is not self._stamp[0]:
            self._stamp = stamp, hashlib.sha256(stamp).hexdigest()
        return OpenModel(predictor, self._stamp[1])

    async def call_aside(self, call: Callable[..., T], *args: Any) -> T:
        """Call what waits for a disk or a network in a thread that runs no model."""
        return await asyncio.get_running_loop().run_in_executor(self._aside, call, *args)

    async def answer(
        self, model: OpenModel, photos: Sequence[SentPhoto], stop: threading.Event, *, explain: bool = False
    ) -> list[Said]:
        """Answer about photos in their order; ProblemError 429 where too many wait.

        What is not begun when `stop` is set is left out.
        """
        work = [(model.predictor, photo, explain, stop) for photo in self._admit(photos)]
        jobs = [self._submit(self._pool, _say_small, *what) for what in work]
        try:
            return [await self._finish(job, *what) for job, what in zip(jobs, work, strict=True)]
        finally:
            for job in jobs:
                job.cancel()

    async def report(self, claim: Callable[[Prediction], Claim], model: OpenModel, photo: SentPhoto) -> None:
        """Put a photo and what is claimed of it into the inbox; may raise a FastclfError."""
        inbox = self._inbox
        if inbox is None:
            raise ProblemError(404, "This server keeps no reports. Send the photo to whoever runs it.")
        [_] = self._admit([photo])
        job = self._submit(self._large, _decode_and_say, model.predictor, photo)
        image, prediction = await asyncio.wrap_future(job)
        await self.call_aside(inbox.add, image, claim(prediction))
        self._counts.add_report(_WAY)

    async def end(self, seconds: float = END_SECONDS) -> None:
        """Take nothing more, and wait until what is here is answered, or for so many seconds."""
        self._ending = True
        until = time.monotonic() + seconds
        while (self._waiting or self._held) and time.monotonic() < until:
            await asyncio.sleep(_PAUSE)
        for pool in (self._pool, self._large, self._aside):
            pool.shutdown(wait=False, cancel_futures=True)

    def _admit(self, photos: Sequence[SentPhoto]) -> Sequence[SentPhoto]:
        """Let photos into the queue, all or none."""
        if self._waiting + len(photos) > MOST_WAITING:
            raise self._build_busy()
        return photos

    def _submit(self, pool: ThreadPoolExecutor, work: Callable[..., T], *args: Any) -> Future[T]:
        loop = asyncio.get_running_loop()
        self._waiting += 1
        job = pool.submit(work, *args)
        job.add_done_callback(lambda _: loop.call_soon_threadsafe(self._leave))
        return job

    def _leave(self) -> None:
        self._waiting -= 1
        if not self._waiting:
            asyncio.get_running_loop().call_later(TRIM_SECONDS, self._trim)

    def _trim(self) -> None:
        """Hand back what photos took; many of them may have left the queue empty in between."""
        now = time.monotonic()
        if not self._waiting and not self._ending and now - self._trimmed >= TRIM_SECONDS:
            self._trimmed = now
            self._aside.submit(trim_heap)

    async def _finish(self, job: Future[tuple[Said, float] | None], *what: Any) -> Said:
        """Wait for an answer, and count it."""
        done = await asyncio.wrap_future(job)
        if done is None:
            done = await asyncio.wrap_future(self._submit(self._large, _say_large, *what))
        said, seconds = done
        if said.prediction.error is not None:
            self._counts.add_unreadable(_WAY)
        else:
            self._counts.add_answer(_WAY, seconds, unfamiliar=bool(said.prediction.unfamiliar))
            # of the last ten or so
            self._seconds += 0.1 * (seconds - self._seconds)
        return said

    def _build_busy(self) -> ProblemError:
        wait = min(60, max(1, math.ceil(self._waiting * self._seconds / self._workers)))
        return ProblemError(429, _BUSY, n=wait, headers={"Retry-After": str(wait)})


def _say_small(
    predictor: Predictor, photo: SentPhoto, explain: bool, stop: threading.Event
) -> tuple[Said, float] | None:
    """Answer about one photo, and say how long it took; None for a photo of many pixels."""
    is_large = photo.fault is None and count_pixels(photo.data) > LARGE_PIXELS
    return None if is_large else _say(predictor, photo, explain, stop)


def _say_large(
    predictor: Predictor, photo: SentPhoto, explain: bool, stop: threading.Event
) -> tuple[Said, float]:
    """Answer about a photo of many pixels, and hand back what it took: freed memory stays with the thread."""
    try:
        return _say(predictor, photo, explain, stop)
    finally:
        trim_heap()


def _say(predictor: Predictor, photo: SentPhoto, explain: bool, stop: threading.Event) -> tuple[Said, float]:
    if stop.is_set():
        raise StoppedError("Nobody waits for this answer.")
    begun = time.perf_counter()
    try:
        image, prediction = _decode_and_say(predictor, photo)
    except UnreadablePhotoError as e:
        return Said(Prediction(photo.name, error=e.message)), 0.0
    seconds = time.perf_counter() - begun
    return Said(prediction, _explain(predictor, image, stop) if explain else None), seconds


def _decode_and_say(predictor: Predictor, photo: SentPhoto) -> tuple[Image.Image, Prediction]:
    if photo.fault is not None:
        raise photo.fault
    decoded = predictor.preprocess.decode(photo.data, photo.name, max_bytes=MAX_BYTES, max_pixels=MOST_PIXELS)
    [prediction] = predictor.predict_images([decoded.image], [photo.name])
    return decoded.image, prediction


def _explain(predictor: Predictor, image: Image.Image, stop: threading.Event) -> dict[str, str]:
    found = explain_answer(predictor, image, stop=stop.is_set)
    scale = min(1.0, MAP_SIDE / max(image.size))
    width, height = (max(1, round(side * scale)) for side in image.size)
    png = found.render((width, height))
    return {"label": found.label, "method": found.method, "png": base64.b64encode(png).decode()}
