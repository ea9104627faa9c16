"""The Open Inference Protocol, version 2, as KServe, Triton and others speak it: photos are BYTES."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .. import __version__
from .bodies import RawBody, read_json_object
from .door import Door
from .hugging_face import read_base64
from .limits import MOST_BODY, MOST_FILES
from .predict import write_tag
from .problem import ProblemError
from .service import OpenModel, Said, SentPhoto

MODEL = "fastclf"
_INPUT = "image"
_HEADER = "Inference-Header-Content-Length"
_WRONG_INPUT = (
    "The request has one input: the name image, the datatype BYTES, the shape [N], and N photos as data, "
    "each in base64 (or in binary, with {header})."
)
_LENGTH = 4


class _ProtocolDoor(Door):
    def more_of_problem(self, problem: ProblemError) -> Mapping[str, object]:
        """Say it in the protocol's own field, too."""
        return {"error": str(problem.message)}

    def compute_etag(self) -> None:
        """Leave the tag as it is."""


class Live(_ProtocolDoor):
    """Says that the server runs."""

    is_open = True

    async def act(self) -> None:
        """Answer."""
        self.answer({"live": True})


class Ready(_ProtocolDoor):
    """Says whether the model answers."""

    is_open = True

    async def act(self) -> None:
        """Answer; with 503 where it does not open."""
        await self.api.service.open()
        self.answer({"ready": True})


class ServerMetadata(_ProtocolDoor):
    """Says what the server is."""

    async def act(self) -> None:
        """Answer."""
        self.answer({"name": "fastclf", "version": __version__, "extensions": ["binary_tensor_data"]})


class ModelMetadata(_ProtocolDoor):
    """Says what goes into the model and comes out."""

    async def act(self) -> None:
        """Answer."""
        model = await self.api.service.open()
        outputs = [
            {"name": one["name"], "datatype": one["datatype"], "shape": [-1, *one["shape"][1:]]}
            for one in build_outputs([], model)
        ]
        self.answer(
            {
                "name": MODEL,
                "versions": [model.hash[:12]],
                "platform": "onnxruntime_onnx",
                "inputs": [{"name": _INPUT, "datatype": "BYTES", "shape": [-1]}],
                "outputs": outputs,
                "parameters": {"classes": model.predictor.vocab},
            }
        )


class Infer(_ProtocolDoor):
    """Answers about photos."""

    allowed = ("POST",)
    takes_json = takes_bytes = True

    def open_raw(self) -> RawBody:
        """Take a header of JSON with the photos' bytes behind it."""
        return RawBody(MOST_BODY)

    async def act(self) -> None:
        """Answer with a tensor a field; a photo that cannot be read has a sentence in `error`."""
        asked, tail = self._read()
        photos = [SentPhoto(f"photo {n}", data) for n, data in enumerate(read_photos(asked, tail), 1)]
        model = await self.api.service.open()
        wanted = _read_wanted(asked)
        said = await self.api.service.answer(model, photos, self.stop)
        outputs = [one for one in build_outputs(said, model) if wanted is None or one["name"] in wanted]
        self.set_header("ETag", write_tag(model))
        named = {"id": asked["id"]} if isinstance(asked.get("id"), str) else {}
        self.answer({"model_name": MODEL, "model_version": model.hash[:12], **named, "outputs": outputs})

    def _read(self) -> tuple[dict[str, Any], bytes]:
        """Return the request's object, and what stands behind it."""
        if self.raw is None:
            return self.sent, b""
        length = self.request.headers.get(_HEADER, "")
        if not (length.isascii() and length.isdecimal()) or int(length[:12]) > len(self.raw.data):
            raise ProblemError(
                400, "The header {header} says how long the JSON before the photos is.", header=_HEADER
            )
        data = bytes(self.raw.data)
        return read_json_object(data[: int(length)]), data[int(length) :]


def read_photos(asked: Mapping[str, Any], tail: bytes) -> list[bytes]:
    """Return the photos of a request; ProblemError 422 where it has another form."""
    inputs = asked.get("inputs")
    wrong = ProblemError(422, _WRONG_INPUT, header=_HEADER)
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise wrong
    [given] = inputs
    if given.get("name") != _INPUT or given.get("datatype") != "BYTES":
        raise wrong
    if "data" in given:
        data = given["data"] if isinstance(given["data"], list) else []
        photos = [read_base64(text) for text in data[: MOST_FILES + 1]]
    else:
        photos = list(split_binary(tail))
    if len(photos) > MOST_FILES:
        raise ProblemError(413, "More than {n} photos in one request. Send them in several.", n=MOST_FILES)
    if not photos or given.get("shape") not in ([len(photos)], [len(photos), 1]):
        raise wrong
    return photos


def split_binary(tail: bytes) -> Iterator[bytes]:
    """Yield the elements of a binary tensor of BYTES: each behind its length, four bytes little-endian."""
    at = 0
    while at < len(tail):
        end = at + _LENGTH + int.from_bytes(tail[at : at + _LENGTH], "little")
        if end > len(tail) or at + _LENGTH > len(tail):
            raise ProblemError(422, "The binary data is shorter than it says.")
        yield tail[at + _LENGTH : end]
        at = end


def build_outputs(said: Sequence[Said], model: OpenModel) -> list[dict[str, Any]]:
    """Return the tensors of some answers; a photo without an answer has "" for its class, and zeros."""
    n, vocab = len(said), model.predictor.vocab
    answers = [one.prediction for one in said]
    found: list[dict[str, Any]] = [
        {"name": "label", "datatype": "BYTES", "shape": [n], "data": [a.label or "" for a in answers]},
        {
            "name": "probability",
            "datatype": "FP64",
            "shape": [n],
            "data": [a.probability or 0.0 for a in answers],
        },
        {
            "name": "probabilities",
            "datatype": "FP64",
            "shape": [n, len(vocab)],
            "data": [(a.probs or {}).get(label, 0.0) for a in answers for label in vocab],
        },
    ]
    if model.predictor.bundle.detector is not None:
        data = [bool(a.unfamiliar) for a in answers]
        found.append({"name": "unfamiliar", "datatype": "BOOL", "shape": [n], "data": data})
    return [
        *found,
        {"name": "error", "datatype": "BYTES", "shape": [n], "data": [a.error or "" for a in answers]},
    ]


def _read_wanted(asked: Mapping[str, Any]) -> set[str] | None:
    """Return the names of the outputs that a request asks for, None for all."""
    outputs = asked.get("outputs")
    if not isinstance(outputs, list) or not outputs:
        return None
    return {str(one.get("name")) for one in outputs if isinstance(one, dict)}
