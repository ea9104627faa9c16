"""Stripping of photo files: the picture stays as it is, what stands beside it goes."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from fastclf.collect.metadata import strip_metadata
from fastclf.photos import decode_photo

from ..drawing import draw_scene, encode

SECRET = b"SECRET-51.4778N"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SCENE = draw_scene("scene", (97, 61))


def exif_block() -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = SECRET.decode()
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    return exif.tobytes()


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def webp_chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def riff(*chunks: bytes) -> bytes:
    return webp_chunk(b"RIFF", b"WEBP" + b"".join(chunks))


def jpeg(image: Image.Image = SCENE, **options: object) -> bytes:
    return encode(image, "JPEG", quality=85, **options)


def scans(data: bytes) -> list[int]:
    """Where the scans of a JPEG that was written by Pillow begin."""
    return [i for i in range(len(data) - 1) if data[i : i + 2] == b"\xff\xda"]


def pixels(data: bytes) -> np.ndarray:
    """The pixels as the file has them: in its own mode, with what is clear."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def check_same_picture(stripped: bytes | None, data: bytes) -> bytes:
    assert stripped is not None
    assert (pixels(stripped) == pixels(data)).all()
    assert (np.asarray(decode_photo(stripped).image) == np.asarray(decode_photo(data).image)).all()
    assert SECRET not in stripped
    return stripped


@pytest.mark.parametrize(
    ("marker", "body"),
    [
        (0xE1, b"Exif\0\0" + SECRET), (0xE1, b"http://ns.adobe.com/xap/1.0/\0<x>" + SECRET),
        (0xE1, b"http://ns.adobe.com/xmp/extension/\0" + SECRET), (0xE0, b"JFXX\0\x10" + SECRET),
        (0xE2, b"MPF\0" + SECRET), (0xE2, b"FPXR\0" + SECRET), (0xE3, b"Meta\0" + SECRET), (0xEB, b"JP" + SECRET),
        (0xED, b"Photoshop 3.0\0" + SECRET), (0xEE, b"Other" + SECRET), (0xEF, SECRET), (0xFE, SECRET),
    ],
    ids=str,
)  # fmt: skip
def test_what_cameras_write_into_a_jpeg_goes_wherever_it_stands(marker: int, body: bytes) -> None:
    clean = jpeg(progressive=True)
    begins = scans(clean)
    # in front, before the first scan, between scans, before the end
    for at in (2, begins[0], begins[2], len(clean) - 2):
        data = clean[:at] + segment(marker, body) + clean[at:]
        assert strip_metadata(data, "JPEG") == clean, at
    check_same_picture(clean, clean)


@pytest.mark.parametrize(
    "end", [SECRET, jpeg() + SECRET, b"\0" * 1000 + SECRET], ids=["text", "preview", "zeros"]
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_alone_stays_as_it_is_and_what_follows_it_goes(kind: str, end: bytes) -> None:
    clean = encode(SCENE, kind)
    assert strip_metadata(clean, kind) == strip_metadata(clean + end, kind) == clean


def test_a_camera_s_own_jpeg_loses_its_gps_and_its_preview_and_keeps_its_density() -> None:
    thumbnail = jpeg(SCENE.resize((20, 12)))
    exif = exif_block() + SECRET + thumbnail
    data = jpeg(exif=exif, comment=SECRET, xmp=b"<x>" + SECRET + b"</x>", dpi=(300, 300))
    # JFIF's own segment may hold a small picture, which shows what was cut away later
    assert data[6:11] == b"JFIF\0"
    head = data[6 : 6 + 12] + bytes([4, 4]) + (SECRET * 4)[: 3 * 4 * 4]
    data = data[:2] + segment(0xE0, head) + data[2 + 18 :]
    assert data.count(SECRET) >= 7
    stripped = check_same_picture(strip_metadata(data, "JPEG"), data)
    assert thumbnail not in stripped
    with Image.open(io.BytesIO(stripped)) as image:
        assert not image.getexif()
        assert image.info["dpi"] == (300, 300)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_colour_profile_stays_though_the_rest_goes(kind: str) -> None:
    # that of a JPEG is so large that it stands in several parts
    profile = PROFILE + (np.random.default_rng(0).bytes(150_000) if kind == "JPEG" else b"")
    data = encode(SCENE, kind, icc_profile=profile, exif=exif_block())
    assert SECRET in data
    stripped = check_same_picture(strip_metadata(data, kind), data)
    assert Image.open(io.BytesIO(stripped)).info["icc_profile"] == profile


BUILDS: dict[str, tuple[str, dict[str, object]]] = {
    "cmyk": ("CMYK", {}), "grey": ("L", {}), "rgb": ("RGB", {"keep_rgb": True}),
    "progressive": ("RGB", {"progressive": True}), "cmyk-progressive": ("CMYK", {"progressive": True}),
    "restarts": ("RGB", {"restart_marker_blocks": 1}), "444": ("RGB", {"subsampling": 0, "optimize": True}),
    "restarts-progressive": ("RGB", {"restart_marker_rows": 1, "progressive": True}),
}  # fmt: skip


@pytest.mark.parametrize("build", BUILDS)
def test_every_build_of_jpeg_keeps_its_pixels(build: str) -> None:
    mode, options = BUILDS[build]
    clean = jpeg(SCENE.convert(mode), **options)
    # a marker that begins the picture anew belongs to it
    assert ("restarts" in build) == any(bytes([0xFF, 0xD0 + i]) in clean for i in range(8))
    exif = segment(0xE1, b"Exif\0\0" + exif_block())
    data = clean[:2] + exif + clean[2:-2] + segment(0xFE, SECRET) + clean[-2:]
    assert check_same_picture(strip_metadata(data, "JPEG"), data) == clean


def test_adobe_s_word_on_the_colours_of_a_jpeg_stays() -> None:
    usual = jpeg()
    # without JFIF's segment, Adobe's says that these are red, green and blue
    rgb = usual[:2] + segment(0xEE, b"Adobe\0\x64\0\0\0\0\0") + usual[20:]
    assert (pixels(rgb) != pixels(usual)).any()
    assert check_same_picture(strip_metadata(rgb, "JPEG"), rgb) == rgb
    cmyk = jpeg(SCENE.convert("CMYK"))
    at = cmyk.index(b"Adobe") + 11
    ycck = cmyk[:at] + b"\x02" + cmyk[at + 1 :]
    assert (pixels(ycck) != pixels(cmyk)).any()
    assert check_same_picture(strip_metadata(ycck, "JPEG"), ycck) == ycck


def test_fill_bytes_before_a_marker_do_no_harm() -> None:
    clean = jpeg(progressive=True)
    begins = scans(clean)
    data = clean[:-2] + b"\xff\xff\xff" + clean[-2:]
    for at in (begins[2], begins[0], 2):
        data = data[:at] + b"\xff\xff\xff\xff" + segment(0xFE, SECRET) + b"\xff\xff" + data[at:]
    check_same_picture(strip_metadata(data, "JPEG"), data)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"tEXt", b"Comment\0" + SECRET),
        (b"zTXt", b"Comment\0\0" + zlib.compress(SECRET) + SECRET),
        (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + SECRET),
        (b"tIME", b"\x07\xe9\x01\x01\x01\x01\x01"),
        (b"eXIf", b"MM\0*\0\0\0\x08\0\0" + SECRET),
        (b"prVt", SECRET),
    ],
)
def test_texts_and_exif_of_a_png_go(kind: bytes, body: bytes) -> None:
    clean = encode(SCENE, "PNG")
    for at in (33, len(clean) - 12):  # after the head, and before the end
        assert strip_metadata(clean[:at] + png_chunk(kind, body) + clean[at:], "PNG") == clean


def test_what_a_png_needs_to_be_shown_stays() -> None:
    clean = encode(SCENE.quantize(16), "PNG", dpi=(144, 144), transparency=3)
    extra = {
        b"gAMA": struct.pack(">I", 45455),
        b"cHRM": struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000),
        b"sRGB": b"\0",
        b"sBIT": b"\x08\x08\x08",
    }
    data = clean[:33] + b"".join(png_chunk(kind, body) for kind, body in extra.items()) + clean[33:]
    at = data.index(b"IDAT") - 4
    data = data[:at] + png_chunk(b"bKGD", b"\x03") + data[at:]
    assert all(kind in data for kind in (b"PLTE", b"tRNS", b"pHYs"))
    assert strip_metadata(data, "PNG") == data


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "1", "I;16", "L"])
def test_every_mode_of_png_keeps_its_pixels(mode: str) -> None:
    deep = Image.fromarray(np.arange(6000, dtype=np.uint16).reshape(60, 100) * 10)
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", SECRET.decode())
    data = encode(deep if mode == "I;16" else SCENE.convert(mode), "PNG", pnginfo=text)
    assert SECRET in data
    check_same_picture(strip_metadata(data, "PNG"), data)


@pytest.mark.parametrize("default_image", [True, False])
def test_of_an_animated_png_the_picture_that_is_shown_first_stays(default_image: bool) -> None:
    others = [SCENE.rotate(90, expand=False), SCENE.rotate(180)]
    data = encode(SCENE, "PNG", save_all=True, append_images=others, default_image=default_image)
    assert b"fdAT" in data
    stripped = strip_metadata(data, "PNG")
    assert stripped is not None
    assert not {kind for kind in (b"acTL", b"fcTL", b"fdAT") if kind in stripped}
    assert (pixels(stripped) == np.asarray(SCENE)).all()
    assert not getattr(Image.open(io.BytesIO(stripped)), "is_animated", False)


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 80}], ids=["lossless", "lossy"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_webp_keeps_its_pixels_and_loses_the_rest(mode: str, options: dict[str, object]) -> None:
    image = SCENE.convert(mode)
    if mode == "RGBA":
        image.putalpha(SCENE.convert("L"))
    data = encode(image, "WEBP", exif=exif_block(), xmp=b"<x>" + SECRET, icc_profile=PROFILE, **options)
    assert data.count(SECRET) >= 2
    stripped = check_same_picture(strip_metadata(data, "WEBP"), data)
    flags = stripped[stripped.index(b"VP8X") + 8]
    assert flags & 0x0C == 0  # no word of EXIF or XMP
    assert flags & 0x20  # the profile
    assert bool(flags & 0x10) == (mode == "RGBA")
    assert struct.unpack_from("<I", stripped, 4)[0] == len(stripped) - 8


def test_unknown_parts_of_a_webp_go_wherever_they_stand() -> None:
    clean = encode(SCENE, "WEBP", icc_profile=PROFILE)
    odd, xmp, exif = (webp_chunk(kind, SECRET) for kind in (b"odd!", b"XMP ", b"EXIF"))
    assert len(SECRET) % 2
    assert strip_metadata(riff(clean[12:30], odd, clean[30:], xmp, exif), "WEBP") == clean
    # behind the end nothing counts, and the last one may lack its padding
    assert strip_metadata(clean + webp_chunk(b"ICCP", SECRET), "WEBP") == clean
    assert strip_metadata(riff(clean[12:], exif[:-1]), "WEBP") == clean


def test_what_cannot_be_stripped_is_said_to_be_so() -> None:
    animated = {"save_all": True, "append_images": [SCENE.rotate(90)]}
    for kind, options in {"GIF": {}, "BMP": {}, "TIFF": {}, "MPO": animated, "WEBP": animated}.items():
        assert strip_metadata(encode(SCENE, kind, **options), kind) is None
    assert strip_metadata(b"whatever", "HEIF") is strip_metadata(b"", "unknown") is None


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_no_cut_ends_in_an_exception_nor_in_half_a_photo(kind: str) -> None:
    image = SCENE.resize((40, 30))
    options = {"progressive": True} if kind == "JPEG" else {}
    data = encode(image, kind, exif=exif_block(), icc_profile=PROFILE[:300], **options)
    for end in range(len(data)):
        stripped = strip_metadata(data[:end], kind)
        # a WebP says its own length, so that half of one is no sound file in the first place
        assert stripped is None or kind == "WEBP", end
    assert strip_metadata(data, kind) is not None


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.thorough)])
def test_no_damage_ends_in_an_exception(step: int, kind: str) -> None:
    rng = np.random.default_rng(0)
    data = encode(SCENE.resize((40, 30)), kind, exif=exif_block(), icc_profile=PROFILE[:300])
    for at in range(0, min(len(data), 1200), step):
        for value in (0, 0xFF, int(rng.integers(256))):
            broken = data[:at] + bytes([value]) + data[at + 1 :]
            assert isinstance(strip_metadata(broken, kind), bytes | None)
    for length in range(60):
        assert isinstance(strip_metadata(rng.bytes(length), kind), bytes | None)


def test_a_jpeg_whose_parts_do_not_follow_each_other_is_left_alone() -> None:
    """Decoders look for the next marker; what is taken for a length here would swallow some of the picture."""
    data = jpeg()
    assert data[20:22] == b"\xff\xdb"
    table = 2 + int.from_bytes(data[22:24], "big")
    for odd in (b"\x00\x01", b"\x00\xfe" + struct.pack(">H", table + 2)):
        broken = data[:20] + odd + data[20:]
        assert (pixels(broken) == pixels(data)).all()
        assert strip_metadata(broken, "JPEG") is None
