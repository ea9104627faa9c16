"""Whatever people hold a photo in, the answer is the same; what holds none is refused in a sentence."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fastclf import Predictor
from fastclf.errors import FastclfError, UnreadablePhotoError, UsageError

from ..drawing import draw_photo, encode

PNG = encode(draw_photo("red", 7), "PNG")
PIXELS = np.asarray(draw_photo("red", 7))


class Tensor:
    """What a torch tensor has of an array."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def detach(self) -> Tensor:
        return self

    cpu = detach

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        return self.values


class Upload:
    """What a web framework hands over: a file of its own, read by waiting."""

    filename = "folder/up.png"

    def __init__(self) -> None:
        self.file = io.BytesIO(PNG)

    async def read(self) -> bytes:
        return PNG


def loaded() -> Image.Image:
    image = Image.open(io.BytesIO(PNG))
    image.load()
    return image


def read_before() -> io.BytesIO:
    file = io.BytesIO(PNG)
    file.read()
    return file


def closed(given: Any) -> Any:
    given.close()
    return given


GIVEN: dict[str, Callable[[], Any]] = {
    "bytes": lambda: PNG, "bytearray": lambda: bytearray(PNG), "memoryview": lambda: memoryview(PNG),
    "BytesIO": lambda: io.BytesIO(PNG), "read before": read_before, "image": lambda: Image.open(io.BytesIO(PNG)), "loaded": loaded,
    "RGBA": lambda: draw_photo("red", 7).convert("RGBA"), "drawn": lambda: draw_photo("red", 7),
    "array": lambda: PIXELS, "turned array": lambda: np.asfortranarray(PIXELS), "int64": lambda: PIXELS.astype(int),
    "float": lambda: PIXELS / 255, "float32": lambda: (PIXELS / 255).astype("f4"),
    "alpha": lambda: np.dstack([PIXELS, np.full(PIXELS.shape[:2], 255, np.uint8)]), "tensor": lambda: Tensor(PIXELS),
    "widget": lambda: {"name": "a.png", "type": "image/png", "size": 3, "content": memoryview(PNG)},
    "upload": Upload, "flask": lambda: SimpleNamespace(filename="a.png", read=lambda: PNG),
}  # fmt: skip
GREY = {
    "rows": lambda: PIXELS[..., 0], "one channel": lambda: PIXELS[..., :1], "16 bits": lambda: PIXELS[..., 0].astype("u2") * 257,
    "image": lambda: Image.fromarray(PIXELS[..., 0]), "image of 16 bits": lambda: Image.fromarray(PIXELS[..., 0].astype("u2") * 257),
}  # fmt: skip


@pytest.mark.parametrize("name", GIVEN)
def test_all_ways_give_the_same_answer(toy_model: Path, name: str) -> None:
    predictor = Predictor(toy_model)
    expected = predictor.predict(PNG).probs
    assert predictor.predict(GIVEN[name]()).probs == pytest.approx(expected, abs=1e-6)
    [answer] = predictor.predict_many([GIVEN[name]()])
    assert answer.probs == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", GREY)
def test_greys_of_any_shape_give_the_same_answer(toy_model: Path, name: str) -> None:
    predictor = Predictor(toy_model)
    expected = predictor.predict(np.stack([PIXELS[..., 0]] * 3, 2)).probs
    assert predictor.predict(GREY[name]()).probs == pytest.approx(expected, abs=0.01)


def test_a_path_and_an_open_file_are_called_by_their_name(toy_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "bear.png"
    path.write_bytes(PNG)
    predictor = Predictor(toy_model)
    with path.open("rb") as f:
        answers = [predictor.predict(x) for x in (path, str(path), f, Image.open(path))]
    assert {a.file for a in answers} == {"bear.png"}
    assert len({a.probability for a in answers}) == 1
    assert predictor.predict(Upload()).file == "up.png"
    assert predictor.predict(PNG).file == predictor.predict(PIXELS).file == "the photo"


def test_what_exif_says_of_a_picture_is_obeyed_as_it_is_of_a_file(toy_model: Path) -> None:
    halves = Image.new("RGB", (40, 20), "red")
    halves.paste((0, 0, 255), (0, 0, 40, 10))
    exif = Image.Exif()
    exif[274] = 6
    data = encode(halves, "JPEG", exif=exif)
    predictor = Predictor(toy_model)
    image = Image.open(io.BytesIO(data))
    image.load()
    assert (
        predictor.preprocess.decode(image).image.tobytes()
        == predictor.preprocess.decode(data).image.tobytes()
    )


REFUSED: dict[str, tuple[Any, str]] = {
    "closed file": (closed(io.BytesIO(PNG)), "cannot be read"),
    "closed picture": (closed(Image.open(io.BytesIO(PNG))), "was closed"),
    "list": ([PNG], "predict_many"), "tuple": ((PNG, PNG), "predict_many"), "number": (3, "this is of type int"),
    "none": (None, "this is of type NoneType"), "address": ("https://example.org/a.jpg", "web address"),
    "text file": (io.StringIO("a"), 'open\\(path, "rb"\\)'), "channels first": (PIXELS.transpose(2, 0, 1), "permute"),
    "tensor": (Tensor(PIXELS.transpose(2, 0, 1)), "permute"), "batch": (PIXELS[None], "a batch"),
    "one row": (PIXELS[0, :, 0], "is \\(height, width\\)"), "two channels": (PIXELS[..., :2], "is \\(height"),
    "empty": (PIXELS[:0], "is \\(height"), "floats to 255": (PIXELS.astype(float), "from 0 to 1"),
    "below 0": (PIXELS / 255 - 1, "from 0 to 1"), "no numbers": (PIXELS / 0.0 * 0, "from 0 to 1"),
    "too large": (PIXELS.astype(int) * 9, "from 0 to 255"), "texts": (np.full((3, 3), "a"), "is no photo"),
    "complex": (PIXELS.astype(complex), "is no photo"), "empty path": ("", "no path"), "mapping": ({"a": 1}, "dict"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_photo_is_refused_in_a_sentence(toy_model: Path, name: str) -> None:
    given, words = REFUSED[name]
    predictor = Predictor(toy_model)
    for call in (predictor.predict, lambda x: list(predictor.predict_many([x]))):
        with pytest.raises(UsageError, match=words) as caught:
            call(given)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "one", ["a.jpg", Path("a.jpg"), PNG, PIXELS, draw_photo("red", 0), io.BytesIO(PNG), {}, 3]
)
def test_one_photo_is_not_taken_for_several(toy_model: Path, one: Any) -> None:
    with pytest.raises(UsageError, match="predict takes one"):
        Predictor(toy_model).predict_many(one)


def test_an_array_may_hold_several_photos(toy_model: Path) -> None:
    answers = Predictor(toy_model).predict_many(np.stack([PIXELS, PIXELS]))  # type: ignore[arg-type]
    assert [answer.label for answer in answers] == ["red", "red"]


def test_a_wrong_call_is_a_usage_error(toy_model: Path) -> None:
    predictor, image = Predictor(toy_model), draw_photo("red", 0)
    for call in (
        lambda: predictor.predict_images(image), lambda: predictor.predict_images([image], ["a", "b"]),
        lambda: predictor.predict_images([image, 3]), lambda: predictor.predict_many([image], batch_size=0),
        lambda: Predictor(None),
    ):  # fmt: skip
        with pytest.raises(UsageError):
            call()
    assert [a.label for a in predictor.predict_images([np.asarray(image), image])] == ["red", "red"]


def test_faults_keep_their_place_among_many(toy_model: Path) -> None:
    fault = UnreadablePhotoError("x.zip", "holds no photos")
    answers = list(Predictor(toy_model).predict_many([PIXELS, fault, b"no", PNG], batch_size=2))
    assert [a.error for a in answers] == [
        None,
        "x.zip holds no photos.",
        "the photo is text, not a photo.",
        None,
    ]


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1", "I;16", "F", "YCbCr", "HSV", "LAB"])
def test_pictures_of_any_mode_are_answered(toy_model: Path, mode: str) -> None:
    image = draw_photo("red", 0)
    made = (
        Image.fromarray(np.asarray(image)[..., 0].astype("u2"))
        if mode == "I;16"
        else image.convert("L").convert(mode)
        if mode == "F"
        else image.convert("RGB").convert(mode)
    )
    predictor = Predictor(toy_model)
    [answer] = predictor.predict_images([made])
    assert (answer.error, answer.label) == (None, predictor.predict(made).label)


def test_a_predictor_is_pickled_and_closed(toy_model: Path) -> None:
    predictor = Predictor(toy_model, threads=1)
    made = pickle.dumps(predictor)
    assert len(made) < 2000
    assert pickle.loads(made).predict(PNG).probs == predictor.predict(PNG).probs
    with predictor:
        pass
    for call in (predictor.predict, lambda x: list(predictor.predict_many([x]))):
        with pytest.raises(UsageError, match="was closed"):
            call(PNG)
    predictor.close()


@pytest.mark.slow
def test_another_process_answers_with_it(toy_model: Path) -> None:
    predictor = Predictor(toy_model)
    with get_context("spawn").Pool(1) as pool:
        [answer] = pool.map(predictor.predict, [PNG])
    assert answer.label == "red"


@pytest.mark.slow
def test_a_file_as_large_as_training_reads_is_answered(toy_model: Path) -> None:
    large = PNG + bytes(21 * 2**20)
    assert Predictor(toy_model).predict(large).label == "red"
    with pytest.raises(FastclfError, match="200 MB"):
        Predictor(toy_model).predict(PNG + bytes(201 * 2**20))
