"""The plain descriptor: its form, what it tells apart and what it does not mind."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fastclf.issues import DESCRIPTOR_ID, compute_descriptor
from fastclf.issues.descriptor import DESCRIPTOR_SIZE
from fastclf.photos import encode_jpeg


def draw(kind: str, colour: str = "white", size: tuple[int, int] = (200, 160), shift: int = 0) -> Image.Image:
    image = Image.new("RGB", size, colour)
    w, h = size
    box = (w * 0.25 + shift, h * 0.25, w * 0.75 + shift, h * 0.75)
    pen = ImageDraw.Draw(image)
    {"disc": pen.ellipse, "box": pen.rectangle}[kind](box, fill="navy")
    return image


def likeness(a: Image.Image, b: Image.Image) -> float:
    return float(compute_descriptor(a) @ compute_descriptor(b))


@pytest.mark.parametrize("size", [(256, 200), (1, 1), (256, 2), (3, 3)])
def test_every_size_gives_the_same_form(size: tuple[int, int]) -> None:
    descriptor = compute_descriptor(draw("disc", size=size))
    assert descriptor.shape == (DESCRIPTOR_SIZE,)
    assert descriptor.dtype == np.float32
    assert np.linalg.norm(descriptor) == pytest.approx(1, abs=1e-5)
    assert DESCRIPTOR_ID


def test_it_tells_shapes_and_a_little_colours_apart_and_does_not_mind_recompression_and_scaling() -> None:
    disc = draw("disc")
    assert likeness(disc, draw("disc", shift=3)) > likeness(disc, draw("box")) + 0.1
    assert likeness(disc, draw("disc")) > likeness(disc, draw("disc", "yellow")) + 0.01
    with Image.open(io.BytesIO(encode_jpeg(disc, 40))) as jpeg:
        assert likeness(disc, jpeg.convert("RGB")) > 0.97
    assert likeness(disc, disc.resize((150, 120))) > 0.97


def test_light_and_dark_edges_are_told_apart() -> None:
    left = Image.new("L", (64, 64), 0)
    left.paste(255, (0, 0, 32, 64))
    right = left.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert likeness(left.convert("RGB"), right.convert("RGB")) < 0.3


def test_a_plain_photo_has_no_edges_and_no_nan() -> None:
    descriptor = compute_descriptor(Image.new("RGB", (50, 50), "red"))
    assert np.isfinite(descriptor).all()
    assert not descriptor[:-108].any()
    assert descriptor[-108:].any()
