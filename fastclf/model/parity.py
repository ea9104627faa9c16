"""`parity.json`: what a model answers about a few pictures, so that it can be proven the same elsewhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..metrics import compute_softmax
from ..system import write_atomic
from .bundle import ModelBundle
from .manifest import damage_as_error

Array = npt.NDArray[Any]
Run = Callable[[Array], tuple[Array, Array]]

PARITY_FILE = "parity.json"
DRAWN = "drawn"
"""What the picture is called that is no file: whoever compares draws it."""

ALLOWED = 1e-3
"""How far probabilities may differ from the recorded ones: more than another processor's rounding is."""

_SCHEMA, _MOST_EXAMPLES = 1, 3
_DRAWN_SIZE = (150, 110)


@dataclass(frozen=True)
class KnownAnswer:
    """What a model answers about one picture.

    Attributes
    ----------
    file
        An example photo of the bundle, or "drawn".
    sha256
        Of the resized pixels, (height, width, 3) bytes, before they become floats.
    logits, probs
        (K,) before and after temperature and softmax.
    score
        How unlike the training photos it is; None where the model cannot tell.
    """

    file: str
    sha256: str
    logits: list[float]
    probs: list[float]
    score: float | None


@dataclass(frozen=True)
class Comparison:
    """How a model's answers compare with the recorded ones.

    Attributes
    ----------
    photos
        How many pictures were compared.
    largest_difference
        Of their probabilities.
    read_otherwise
        Of how many of them the resized pixels differ, because another version decodes or resizes them.
    """

    photos: int
    largest_difference: float
    read_otherwise: int

    @property
    def is_same(self) -> bool:
        """Whether the probabilities differ by `ALLOWED` at most."""
        return self.largest_difference <= ALLOWED


def draw_picture() -> Image.Image:
    """Return the picture that every model is tried on: stripes and tiles, by whole numbers alone."""
    width, height = _DRAWN_SIZE
    y, x, c = np.ogrid[:height, :width, :3]
    levels = (x * (3 + c) + y * (5 + 2 * c) + (x // 16 + y // 12) % 2 * 90) % 256
    return Image.fromarray(levels.astype(np.uint8))


def record_answers(bundle: ModelBundle, run: Run) -> list[KnownAnswer]:
    """Return what a graph answers about the first examples of a bundle and the drawn picture.

    `run` gives logits and features of (N, 3, H, W), see `Predictor.run`.
    """
    names = [f"examples/{file.name}" for file in bundle.example_files[:_MOST_EXAMPLES]]
    return [_answer(bundle, run, name) for name in (*names, DRAWN)]


def compare_answers(bundle: ModelBundle, run: Run) -> Comparison:
    """Compare a graph's answers with those that the bundle's `parity.json` holds.

    Raises
    ------
    BundleError
        If there is none, it is damaged, or one of its example photos is gone.
    """
    known = read_answers(bundle)
    found = [_answer(bundle, run, answer.file) for answer in known]
    pairs = list(zip(known, found, strict=True))
    worst = max(float(np.abs(np.subtract(a.probs, b.probs)).max()) for a, b in pairs)
    return Comparison(len(pairs), worst, sum(a.sha256 != b.sha256 for a, b in pairs))


def read_answers(bundle: ModelBundle) -> list[KnownAnswer]:
    """Return what the bundle's `parity.json` holds; BundleError where there is none or it is damaged."""
    file = bundle.require(PARITY_FILE)
    with damage_as_error(bundle.path):
        values = json.loads(file.read_text(encoding="utf-8"))
        found = [KnownAnswer(**answer) for answer in values["photos"]]
        if not found or not all(_is_usable(answer, bundle) for answer in found):
            raise ValueError(f"{PARITY_FILE} does not fit the model")
        return found


def write_answers(folder: Path, answers: list[KnownAnswer]) -> None:
    """Write `parity.json`."""
    text = json.dumps(describe_answers(answers), indent=1)
    write_atomic(folder / PARITY_FILE, f"{text}\n".encode())


def describe_answers(answers: list[KnownAnswer]) -> Mapping[str, Any]:
    """Return what `parity.json` holds."""
    return {"schema": _SCHEMA, "photos": [asdict(answer) for answer in answers]}


def _answer(bundle: ModelBundle, run: Run, name: str) -> KnownAnswer:
    preprocess = bundle.preprocess
    image = draw_picture() if name == DRAWN else preprocess.decode(bundle.require(name)).image
    resized = np.asarray(preprocess.resize(image))
    logits, features = run(preprocess.batch([image]))
    probs = compute_softmax(logits, bundle.temperature)[0]
    score = None if bundle.detector is None else float(bundle.detector.ood_score(features)[0])
    digest = hashlib.sha256(resized.tobytes()).hexdigest()
    return KnownAnswer(name, digest, _round(logits[0]), _round(probs), score)


def _round(values: Array) -> list[float]:
    """Return floats as the file writes them: more digits than that are rounding."""
    return [float(f"{value:.8g}") for value in values]


def _is_usable(answer: KnownAnswer, bundle: ModelBundle) -> bool:
    known = answer.file == DRAWN or answer.file in bundle.manifest.files
    return known and len(answer.probs) == len(bundle.vocab) and bool(np.isfinite(answer.probs).all())
