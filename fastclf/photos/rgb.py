"""A loaded picture as upright RGB, a band of rows at a time: at most two pictures are in memory at once."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import ExifTags, Image

from .bands import convert_bands
from .colours import convert_to_srgb, reads_profile
from .tiff_tags import claims_too_much, read_orientation


@dataclass(frozen=True)
class DecodedPhoto:
    """A photo as RGB, with what was found on the way.

    Attributes
    ----------
    image
        The photo: mode RGB, upright, alpha over white.
    format
        Pillow's name of the file format, "JPEG" for example.
    plain
        Whether fastai's own reading, ``Image.open(f).convert("RGB")``, gives the same pixels.
    upright
        Whether the file's pixels stand as they are to be seen, without EXIF.
    size
        Width and height as the photo is to be seen, before any reduction.
    colours_known
        Whether the file has no colour profile or one that can be read; else its colours are taken as sRGB.
    scale
        Which values became black and white where the file has more than 8 bits; None where they were taken as
        they are. See `fastclf.photos.depth` for the rule.
    """

    image: Image.Image
    format: str
    plain: bool
    upright: bool = True
    size: tuple[int, int] = (0, 0)
    colours_known: bool = True
    scale: tuple[float, float] | None = None


def build_rgb(
    image: Image.Image,
    size: tuple[int, int],
    orientation: int | None = None,
    scaled: tuple[Image.Image, tuple[float, float]] | None = None,
    *,
    is_ours: bool = True,
) -> DecodedPhoto:
    """Return a loaded photo upright and as RGB; `scaled` is what its 16 bits make, with black and white.

    A picture that `is_ours` is closed as soon as it is not needed any more.
    """
    kind, info = _name_format(image), image.info
    orientation = _orientation(image) if orientation is None else orientation
    turn, source = _TURNS.get(orientation), scaled[0] if scaled else image
    if source is not image and is_ours:
        image.close()
    clear = _is_clear(source) or (not scaled and "transparency" in info)
    profile = info.get("icc_profile")
    stand_in = Image.new(source.mode if source.mode in ("CMYK", "L") else "RGB", (1, 1))
    moved, known = convert_to_srgb(stand_in, profile) is not None, reads_profile(stand_in, profile)
    rgb = _convert(source, clear, profile if moved else None)
    # nothing that Pillow keeps of the file (EXIF, GPS, comments)
    rgb.info = {}
    if scaled or is_ours:
        source.close()
    if turn is not None:
        rgb = rgb.transpose(turn)
    plain = not (turn is not None or scaled or clear or moved) and kind not in ("HEIF", "PPM")
    seen = size[::-1] if orientation in range(5, 9) else size
    return DecodedPhoto(rgb, kind, plain, turn is None, seen, known, scaled and scaled[1])


def _is_clear(image: Image.Image) -> bool:
    return image.mode != "LAB" and not {"A", "a"}.isdisjoint(image.getbands())


def _convert(image: Image.Image, clear: bool, profile: bytes | None) -> Image.Image:
    """Return a picture as RGB, what is clear in it over white and its colours moved by a profile."""
    if not clear and not profile and image.mode != "LAB":
        return image.convert("RGB")

    def convert(band: Image.Image) -> Image.Image:
        rgb = band
        if clear:
            rgba = band.convert("RGBA")
            rgb = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
        if not profile or band.mode not in ("CMYK", "L") or clear:
            rgb = rgb.convert("RGB")
        meant = convert_to_srgb(band if band.mode in ("CMYK", "L") else rgb, profile)
        return rgb if meant is None else meant

    return convert_bands(image, "RGB", convert)


# how pixels are turned that a camera held otherwise took, by EXIF's number
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip


def _name_format(image: Image.Image) -> str:
    """Return Pillow's name of a file's format; a JPEG with further pictures behind it is called MPO."""
    if image.format != "JPEG" or "mp" not in image.info:
        return image.format or "unknown"
    light = any(b"hdrgm:" in segment[1] for segment in getattr(image, "applist", ()))
    return "JPEG" if light else "MPO"


def _orientation(image: Image.Image) -> int:
    """Return EXIF's orientation, 1 where it is none: the picture may be fine where its EXIF is broken."""
    exif = image.info.get("exif")
    try:
        if isinstance(exif, bytes) and claims_too_much(exif):
            return read_orientation(exif)
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
        value = value[0] if isinstance(value, tuple | bytes) and value else value
        return int(value)
    except Exception:  # noqa: BLE001 - whatever a parser meets in it
        return read_orientation(exif) if isinstance(exif, bytes) else 1
