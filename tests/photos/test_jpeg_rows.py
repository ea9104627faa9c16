"""Missing rows decide about a JPEG, its last two bytes do not."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from fastclf.errors import UnreadablePhotoError
from fastclf.photos import decode_photo

from ..drawing import encode

END = b"\xff\xd9"
WAYS = {
    "usual": {"quality": 90}, "own tables": {"quality": 60, "optimize": True}, "restarts": {"restart_marker_blocks": 5},
    "full colour": {"subsampling": 0, "quality": 95}, "progressive": {"progressive": True},
}  # fmt: skip


def draw(mode: str, seed: int = 0, size: tuple[int, int] = (117, 93)) -> Image.Image:
    walk = np.cumsum(np.random.default_rng(seed).normal(0, 6, (size[1], size[0], 3)), 1) % 256
    return Image.fromarray(walk.astype(np.uint8)).convert(mode)


def read(data: bytes) -> np.ndarray | str:
    try:
        return np.asarray(decode_photo(data, "x").image)
    except UnreadablePhotoError as e:
        return str(e)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_whole_photo_is_read_whatever_stands_at_its_end(way: str, mode: str) -> None:
    data = encode(draw(mode), "JPEG", **WAYS[way])
    whole = read(data)
    for end in (
        data[:-2], data[:-1], data + b"junk", data + data, data + bytes(5000), data[:-2] + bytes(5000),
        data[:-2] + b"\xff" * 99, data[:-2] + b"\xff\xff\xff" + END,
    ):  # fmt: skip
        found = read(end)
        assert not isinstance(found, str), found
        assert (found == whole).all()


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_what_is_accepted_lacks_no_row_and_what_is_refused_lacks_some(way: str, mode: str) -> None:
    image = draw(mode, 1)
    data, other = encode(image, "JPEG", **WAYS[way]), encode(draw("RGB", 2), "JPEG")
    whole = read(data)
    scan = data.rindex(b"\xff\xda") if way != "progressive" else len(data) // 5
    for cut in np.linspace(scan + 30, len(data) - 60, 12).astype(int):
        for end in (b"", END, END + other, other, bytes(len(data) - cut), b"\xff" * 40, END + b"junk"):
            found = read(data[:cut] + end)
            if isinstance(found, str):
                assert "is cut off" in found or "is damaged" in found or "a damaged JPEG" in found
            else:
                assert (found == whole).all()


def test_zeros_before_the_mark_are_data_in_an_even_photo_alone() -> None:
    data = encode(draw("RGB", size=(320, 240)), "JPEG")
    assert "rows are missing" in str(read(data[: len(data) // 2] + bytes(60_000) + END))
    for mode in ("RGB", "L"):
        even = np.asarray(draw(mode, size=(640, 480))).copy()
        even[40:] = 255
        made = encode(Image.fromarray(even), "JPEG", optimize=True)
        assert not isinstance(read(made), str)


def test_how_many_rows_are_missing_is_said() -> None:
    data = encode(draw("RGB", size=(320, 240)), "JPEG")
    found = read(data[: len(data) // 2] + END)
    assert isinstance(found, str)
    n = int(found.split("about ")[1].split()[0])
    assert found.endswith("of its 240 rows are missing; save or fetch it again.")
    assert 100 <= n <= 130


def test_a_progressive_photo_without_its_finer_scans_is_told_from_a_blurred_one() -> None:
    data = encode(draw("RGB"), "JPEG", progressive=True)
    places = [i for i in range(len(data) - 1) if data[i : i + 2] == b"\xff\xda"]
    for at in places[1:]:
        assert "finer details are missing" in read(data[:at] + END)
        assert isinstance(read(data[:at]), str)
    assert not isinstance(read(data), str)


def test_what_lacks_its_mark_is_copied_for_fastai() -> None:
    data = encode(draw("RGB"), "JPEG")
    assert (decode_photo(data).plain, decode_photo(data[:-2]).plain) == (True, False)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_of_very_many_pixels_is_read_smaller_and_a_png_is_refused(
    progressive: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = Image.new("RGB", (1200, 900), (200, 30, 30))
    data = encode(image, "JPEG", progressive=progressive)
    for most, size in ((1_080_000, (1200, 900)), (900_000, (600, 450))):
        photo = decode_photo(data, max_pixels=most)
        assert (photo.size, photo.image.size, photo.plain) == ((1200, 900), size, most > 1_000_000)
    assert max(decode_photo(data, max_pixels=900_000, least_side=100).image.size) == 150
    for refused in (
        encode(image, "PNG"),
        encode(image.resize((3000, 2000)), "JPEG", progressive=progressive),
    ):
        with pytest.raises(UnreadablePhotoError, match="at most"):
            decode_photo(refused, max_pixels=900_000)


def test_what_is_missing_in_the_middle_is_told_where_marks_count_the_parts() -> None:
    data = encode(draw("RGB", 3, (320, 240)), "JPEG", quality=90, restart_marker_rows=1)
    marks = [at for at in range(len(data) - 1) if data[at] == 0xFF and 0xD0 <= data[at + 1] <= 0xD7]
    assert len(marks) == 14
    assert not isinstance(read(data), str)
    assert read(data[: marks[4]] + data[marks[6] :]) == (
        "x is damaged: parts in its middle are missing; save or fetch it again."
    )
