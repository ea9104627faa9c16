"""Which kind of picture a file's first bytes announce, whatever the file is called."""

from __future__ import annotations

# How many bytes `sniff_format` looks at.
HEAD_BYTES = 64

_STARTS = (
    (b"\xff\xd8\xff", "JPEG"), (b"\x89PNG\r\n\x1a\n", "PNG"), (b"\x8bJNG\r\n\x1a\n", "JNG"),
    (b"\x8aMNG\r\n\x1a\n", "MNG"), (b"GIF87a", "GIF"), (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"), (b"MM\0*", "TIFF"), (b"II+\0", "TIFF"), (b"MM\0+", "TIFF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"), (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"), (b"\xff\x0a", "JPEG XL"), (b"II\xbc", "JPEG XR"),
    (b"8BPS", "Photoshop"), (b"gimp xcf", "GIMP"), (b"qoif", "QOI"), (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"), (b"FUJIFILMCCD-RAW", "camera raw"), (b"IIRO", "camera raw"),
    (b"IIRS", "camera raw"), (b"MMOR", "camera raw"), (b"IIU\0", "camera raw"), (b"FOVb", "camera raw"),
    (b"BPG\xfb", "BPG"), (b"DDS \x7c\0\0\0", "DDS"), (b"farbfeld", "farbfeld"), (b"SIMPLE  =", "FITS"),
)  # fmt: skip
_BRANDS = {
    b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"heim": "HEIC", b"heis": "HEIC",
    b"hevc": "HEIC", b"hevx": "HEIC", b"mif1": "HEIC", b"msf1": "HEIC", b"crx ": "camera raw",
}  # fmt: skip
# The sizes of the header that follows a bitmap file's first 14 bytes.
_BITMAP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)


def sniff_format(head: bytes) -> str:
    """Return the name of the format of pictures that a file's first bytes announce, or "".

    Parameters
    ----------
    head
        The first `HEAD_BYTES` bytes, or all of a shorter file; more do no harm.

    Returns
    -------
    str
        Also a format that is not read here ("JPEG 2000", "Netpbm"): its file is a picture all the same.

    Examples
    --------
    >>> sniff_format(b"GIF89a..."), sniff_format(b"P6 640 480 255 "), sniff_format(b"path,label")
    ('GIF', 'Netpbm', '')
    """
    if head[4:8] == b"ftyp":
        return _read_brands(head)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[:2] == b"BM":
        return "BMP" if int.from_bytes(head[14:18], "little") in _BITMAP_HEADERS else ""
    if head[:1] == b"P" and head[1:2] in b"1234567Ff" and head[2:3] in (b"\n", b" ", b"\t", b"\r"):
        return "Netpbm"
    if head[:4] in (b"II*\0", b"MM\0*") and head[8:10] == b"CR":
        return "camera raw"
    return next((name for start, name in _STARTS if head.startswith(start)), "")


def _read_brands(head: bytes) -> str:
    """Return what a file of boxes holds: its brand says so, or where that is general, those beside it."""
    size = int.from_bytes(head[:4], "big")
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, min(size, len(head)), 4))]
    named = [_BRANDS[brand] for brand in brands if brand in _BRANDS]
    first = _BRANDS.get(brands[0], "")
    return "AVIF" if first == "HEIC" and "AVIF" in named and brands[0] in (b"mif1", b"msf1") else first
