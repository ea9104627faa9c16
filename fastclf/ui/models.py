"""State and rules of the dashboard in traitlets; no widget is imported here."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets

from ..errors import FastclfError
from ..images import MAX_BYTES, Source, decode_photo, encode_jpeg, make_thumbnail

if TYPE_CHECKING:
    from ..predictor import Prediction, Predictor

_logger = logging.getLogger(__name__)

MAX_FILES = 20
SURE, FAIR = 0.9, 0.6


class Status(Enum):
    """What a panel can do now; it drives what is disabled and what is said."""

    EMPTY = "empty"
    READY = "ready"
    BUSY = "busy"
    DONE = "done"
    ERROR = "error"


@dataclass(frozen=True)
class Answer:
    """One photo's card.

    Attributes
    ----------
    name
        The file's name, as its owner sent it; not escaped.
    thumbnail
        JPEG bytes, or None where the photo could not be read.
    prediction
        The answer, or the sentence why there is none.
    """

    name: str
    thumbnail: bytes | None
    prediction: Prediction

    @property
    def words(self) -> str:
        """The answer in words, not escaped."""
        return describe(self.prediction)


def describe(prediction: Prediction) -> str:
    """Say a prediction in words that are honest about doubt.

    Examples
    --------
    >>> from fastclf import Prediction
    >>> describe(Prediction("a.jpg", "grizzly", 0.94, {"grizzly": 0.94, "black": 0.06}, False, 0.1))
    'grizzly, 94 %'
    """
    if prediction.error is not None or prediction.probability is None:
        return prediction.error or ""
    share = f"{prediction.label}, {format_share(prediction.probability)}"
    if prediction.unfamiliar:
        return f"Unlike the photos this model learned from (closest: {share})"
    if prediction.probability >= SURE:
        return share
    return f"probably {share}" if prediction.probability >= FAIR else f"not sure; perhaps {share}"


def format_share(probability: float) -> str:
    """Return a probability as whole per cent; neither 0 nor 100 unless it is exactly that.

    Examples
    --------
    >>> format_share(0.9996), format_share(0.0001)
    ('over 99 %', 'under 1 %')
    """
    if 0.995 <= probability < 1:
        return "over 99 %"
    if 0 < probability < 0.005:
        return "under 1 %"
    return f"{probability * 100:.0f} %"


class ModelSource:
    """Opens the model in the background, and again when its folder holds another one.

    Parameters
    ----------
    path
        Folder of the bundle.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._predictor: Predictor | None = None
        self._stamp: bytes | None = None

    def start(self) -> None:
        """Begin to open the model without waiting; a fault waits for the first `open`."""
        threading.Thread(target=self._warm, daemon=True).start()

    def open(self) -> Predictor:
        """Return the predictor of the model that the folder holds now.

        Raises
        ------
        BundleError
            If the model does not open.
        """
        from ..predictor import Predictor

        with self._lock:
            stamp = self._read_stamp()
            if self._predictor is None or stamp != self._stamp:
                self._predictor = Predictor(self.path, threads=None)
                self._stamp = stamp
            return self._predictor

    def _warm(self) -> None:
        try:
            self.open()
        except FastclfError:
            pass  # told again, and shown, at the first answer
        except Exception:
            _logger.exception("opening the model failed")

    def _read_stamp(self) -> bytes:
        try:
            return (self.path / "bundle.json").read_bytes()
        except OSError:
            return b""


class ClassifyPanelModel(traitlets.HasTraits):
    """Photos in, answers out.

    Parameters
    ----------
    open_predictor
        Returns the predictor; may raise a FastclfError.
    """

    status = traitlets.UseEnum(Status, default_value=Status.EMPTY)
    message = traitlets.Unicode()
    answers = traitlets.Tuple()

    def __init__(self, open_predictor: Callable[[], Predictor]) -> None:
        super().__init__()
        self._open_predictor = open_predictor

    def refuse(self, reason: str) -> None:
        """Show that nothing can be answered, and why."""
        self.status, self.message = Status.ERROR, reason

    def clear(self) -> None:
        """Forget all photos and answers."""
        self.answers, self.message, self.status = (), "", Status.EMPTY

    def classify(self, files: Iterable[tuple[str, Source]]) -> None:
        """Answer about photos, one after the other; a photo that fails gets a card that says why.

        Parameters
        ----------
        files
            (name, bytes or path) of each.
        """
        files = list(files)
        if not files:
            return
        taken, left = files[:MAX_FILES], len(files) - MAX_FILES
        self.status = Status.BUSY
        try:
            for number, (name, source) in enumerate(taken, 1):
                self.message = f"Looking at photo {number} of {len(taken)} ..."
                self.answers = (*self.answers, self._answer(name, source))
        except FastclfError as e:
            self.refuse(str(e))
        except Exception:
            _logger.exception("classifying failed")
            self.refuse("Something went wrong here, not with your photos. Reload the page and try again.")
        else:
            self.message = self._summarise(taken, left)
            self.status = Status.DONE
        finally:
            self._trim_heap()

    @staticmethod
    def _trim_heap() -> None:
        from ..predictor import trim_heap

        trim_heap()

    def _answer(self, name: str, source: Source) -> Answer:
        from ..errors import UnreadablePhotoError
        from ..predictor import Prediction

        predictor = self._open_predictor()
        try:
            image = decode_photo(source, name).image
        except UnreadablePhotoError as e:
            return Answer(name, None, Prediction(name, error=str(e)))
        [prediction] = predictor.predict_images([image], [name])
        return Answer(name, encode_jpeg(make_thumbnail(image)), prediction)

    def _summarise(self, taken: list[tuple[str, Source]], left: int) -> str:
        answers: tuple[Any, ...] = self.answers[-len(taken) :]
        failed = sum(a.prediction.error is not None for a in answers)
        words = f"{len(taken) - failed} of {len(taken)} photos answered." if failed else "Done: "
        if not failed:
            words += f"{len(taken)} photo{'s' if len(taken) > 1 else ''} answered."
        if left > 0:
            words += (
                f" {left} more were left out: at most {MAX_FILES} photos of {MAX_BYTES // 2**20} MB at once. "
                "Choose those again."
            )
        return words
