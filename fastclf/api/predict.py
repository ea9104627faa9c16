"""Photos in, answers out: `POST /api/v1/predict`, and what the model is: `GET /api/v1/model`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..card import error_interval
from ..errors import FastclfError
from ..inbox import clean_name
from ..model import Manifest
from ..photos import MAX_BYTES
from .bodies import NO_NAME
from .door import Door
from .limits import MOST_BODY, MOST_EXPLAINED, MOST_FILES
from .problem import ProblemError
from .service import OpenModel, SentPhoto

_NO_PHOTO = "There is no photo in the request. `curl -F files=@photo.jpg` sends one."


def write_tag(model: OpenModel) -> str:
    """Return the ETag of what a model says."""
    return f'"{model.hash}"'


def read_top(value: object, classes: int) -> int | None:
    """Return how many classes an answer is to name, None for all; ProblemError 422 for no such number."""
    if value is None:
        return None
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdecimal() and 0 < int(text[:9]) <= classes):
        raise ProblemError(
            422,
            "top is {value!r}; it is a whole number from 1 to {classes}, the number of classes.",
            value=text[:40],
            classes=classes,
        )
    return int(text)


class Predict(Door):
    """Answers about one photo or many."""

    allowed = ("POST",)
    takes_form = takes_bytes = True

    async def act(self) -> None:
        """Answer with a list, a photo an object; one that cannot be read has an `error`."""
        photos = self._take_photos()
        explain = self._read_explain(len(photos))
        model = await self.api.service.open()
        top = read_top(self.get_query_argument("top", None), len(model.predictor.vocab))
        said = await self.api.service.answer(model, photos, self.stop, explain=explain)
        self.set_header("ETag", write_tag(model))
        self.answer([one.to_dict(top) for one in said])

    def compute_etag(self) -> None:
        """Leave the tag as it is."""

    def _take_photos(self) -> Sequence[SentPhoto]:
        if (raw := self.raw) is not None:
            name = clean_name(self.get_query_argument("name", "") or NO_NAME)
            photos = [SentPhoto(name, bytes(raw.data))] if raw.data else []
        else:
            photos = self.form.photos
        if not photos:
            raise ProblemError(400, _NO_PHOTO)
        return photos

    def _read_explain(self, n: int) -> bool:
        value = self.get_query_argument("explain", "0")
        if value not in ("0", "1"):
            raise ProblemError(422, "explain is {value!r}; it is 1 or 0.", value=value[:40])
        if value == "1" and n > MOST_EXPLAINED:
            raise ProblemError(422, "At most {most} photos of a request are explained.", most=MOST_EXPLAINED)
        return value == "1"


class ModelInfo(Door):
    """Says what the model is: its classes, how good it is, what it takes."""

    def compute_etag(self) -> str:
        """Return the model's hash, by which a caller asks whether it is still the same one."""
        return self._tag

    async def act(self) -> None:
        """Answer; with 304 where the caller has this model's answer already."""
        model = await self.api.service.open()
        self._tag = write_tag(model)
        self.set_header("Cache-Control", "no-cache")
        self.answer({**describe_model(model.predictor.bundle.manifest), "hash": model.hash})

    _tag = ""


def describe_model(manifest: Manifest) -> dict[str, Any]:
    """Return what a caller needs to know of a model."""
    sets = manifest.sets
    return {
        "title": manifest.title or "Photo classifier",
        "intro": manifest.intro,
        "classes": list(manifest.vocab),
        "created": manifest.created,
        "fastclf": manifest.fastclf,
        "arch": manifest.arch,
        "input_size": list(manifest.preprocess.input_size),
        "quality": _describe_quality(manifest),
        "tells_unfamiliar": manifest.ood is not None,
        "set_coverage": None if sets is None else sets.coverage,
        "limits": {"files": MOST_FILES, "file_bytes": MAX_BYTES, "body_bytes": MOST_BODY},
    }


def _describe_quality(manifest: Manifest) -> dict[str, Any] | None:
    """Return the share of right validation photos with its interval, None where nobody measured."""
    valid = manifest.metrics.valid
    try:
        if not valid:
            return None
        low, high = error_interval(dict(valid))
        return {
            "accuracy": float(valid["accuracy"]),
            "interval": [1 - high, 1 - low],
            "photos": int(valid["n"]),
        }
    except (FastclfError, KeyError, TypeError, ValueError):
        return None  # a model whose figures nobody can read still answers
