"""What a file's bytes announce, whatever it is called: the one list of signatures."""

from __future__ import annotations

from typing import NamedTuple

# How many bytes `sniff_format` looks at; the mark of DICOM stands furthest back.
HEAD_BYTES = 132

READ, PICTURE, RAW, HEIC = "read", "picture", "raw", "heic"
ARCHIVE, SEVERAL, ELSE = "archive", "several", "else"
_PICTURES = (READ, PICTURE, RAW, HEIC)


class Signature(NamedTuple):
    """What bytes at a place of a file announce.

    Attributes
    ----------
    at
        The place.
    start
        The bytes.
    kind
        A picture that is read or not, a camera's RAW photo, a HEIC photo, an archive, several pictures
        or values in one, or something else.
    name
        The format's name.
    """

    at: int
    start: bytes
    kind: str
    name: str


_TABLE = (
    (0, b"\xff\xd8\xff\xf7", PICTURE, "JPEG-LS"), (0, b"\xff\xd8\xff", READ, "JPEG"),
    (0, b"\x89PNG", READ, "PNG"), (8, b"WEBP", READ, "WebP"), (0, b"GIF8", READ, "GIF"),
    (8, b"CR\x02", RAW, "CR2"), (0, b"II*\0", READ, "TIFF"), (0, b"MM\0*", READ, "TIFF"),
    (0, b"II+\0", READ, "TIFF"), (0, b"MM\0+", READ, "TIFF"),
    (0, b"\x8bJNG\r\n\x1a\n", PICTURE, "JNG"), (0, b"\x8aMNG\r\n\x1a\n", PICTURE, "MNG"),
    (0, b"\0\0\0\x0cjP  ", PICTURE, "JPEG 2000"), (0, b"\xff\x4f\xff\x51", PICTURE, "JPEG 2000"),
    (0, b"\0\0\0\x0cJXL ", PICTURE, "JPEG XL"), (0, b"\xff\x0a", PICTURE, "JPEG XL"),
    (0, b"II\xbc", PICTURE, "JPEG XR"), (0, b"8BPS", PICTURE, "Photoshop"),
    (0, b"gimp xcf", PICTURE, "GIMP"), (0, b"qoif", PICTURE, "QOI"),
    (0, b"\x76\x2f\x31\x01", PICTURE, "OpenEXR"), (0, b"#?R", PICTURE, "Radiance HDR"),
    (0, b"BPG\xfb", PICTURE, "BPG"), (0, b"DDS ", PICTURE, "DDS"), (0, b"farbfeld", PICTURE, "farbfeld"),
    (0, b"SIMPLE  =", PICTURE, "FITS"), (0, b"\x59\xa6\x6a\x95", PICTURE, "Sun raster"),
    (0, b"\x01\xda\0", PICTURE, "SGI"), (0, b"\x01\xda\1", PICTURE, "SGI"),
    (0, b"\x0a\x05\1\1", PICTURE, "PCX"), (0, b"\x0a\x05\1\x08", PICTURE, "PCX"),
    (0, b"%!PS", PICTURE, "EPS"), (0, b"\xc5\xd0\xd3\xc6", PICTURE, "EPS"), (128, b"DICM", PICTURE, "DICOM"),
    (0, b"FUJIFILMCCD-RAW", RAW, "RAF"), (0, b"IIRO", RAW, "ORF"), (0, b"IIRS", RAW, "ORF"),
    (0, b"MMOR", RAW, "ORF"), (0, b"IIU\0", RAW, "RW2"), (0, b"\0MRM", RAW, "MRW"), (0, b"FOVb", RAW, "X3F"),
    (0, b"PK\3\4", ARCHIVE, "ZIP"), (0, b"PK\5\6", ARCHIVE, "ZIP"), (0, b"\x1f\x8b", ARCHIVE, "gzip"),
    (0, b"Rar!", ARCHIVE, "RAR"), (0, b"7z\xbc\xaf", ARCHIVE, "7-Zip"), (0, b"BZh", ARCHIVE, "bzip2"),
    (0, b"\xfd7zXZ", ARCHIVE, "xz"), (0, b"\x28\xb5\x2f\xfd", ARCHIVE, "Zstandard"),
    (257, b"ustar", ARCHIVE, "tar"),
    (0, b"%PDF", SEVERAL, "PDF"), (0, b"\xd0\xcf\x11\xe0", SEVERAL, "Office"),
    (0, b"\0\0\1\0", SEVERAL, "icon"), (0, b"\0\0\2\0", SEVERAL, "icon"), (0, b"icns", SEVERAL, "icon"),
    (8, b"AVI ", SEVERAL, "video"), (0, b"\x1a\x45\xdf\xa3", SEVERAL, "video"),
    (0, b"FLV\1", SEVERAL, "video"), (0, b"\0\0\1\xba", SEVERAL, "video"),
    (0, b"\x30\x26\xb2\x75", SEVERAL, "video"), (4, b"ftyp", SEVERAL, "video"),
    (4, b"moov", SEVERAL, "video"), (4, b"mdat", SEVERAL, "video"),
    (4, b"wide", SEVERAL, "video"), (4, b"free", SEVERAL, "video"),
    (0, b"\x93NUMPY", SEVERAL, "NumPy"), (0, b"\x89HDF", SEVERAL, "HDF5"), (0, b"CDF\1", SEVERAL, "NetCDF"),
    (0, b"PAR1", SEVERAL, "Parquet"),
    (0, b"SQLite format 3", ELSE, "SQLite"), (8, b"WAVE", ELSE, "sound"), (0, b"ID3", ELSE, "sound"),
    (0, b"OggS", ELSE, "sound"), (0, b"fLaC", ELSE, "sound"), (0, b"MZ", ELSE, "program"),
    (0, b"\x7fELF", ELSE, "program"),
)  # fmt: skip
_SIGNATURES = tuple(Signature(*row) for row in _TABLE)
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_BRANDS = dict.fromkeys(_HEIC_BRANDS, (HEIC, "HEIC"))
_BRANDS |= {b"avif": (READ, "AVIF"), b"avis": (READ, "AVIF"), b"crx ": (RAW, "CR3")}
# Brands of boxes that say what it is only together with those beside them.
_GENERAL = (b"mif1", b"msf1")
_NETPBM = {
    b"1": "PBM",
    b"4": "PBM",
    b"2": "PGM",
    b"5": "PGM",
    b"3": "PPM",
    b"6": "PPM",
    b"F": "PFM",
    b"f": "PFM",
}
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
        Also a format that is not read here ("JPEG 2000", "DICOM"): its file is a picture all the same. Any
        camera's RAW photo is "camera raw".

    Examples
    --------
    >>> sniff_format(b"GIF89a..."), sniff_format(b"P6 640 480 255 "), sniff_format(b"path,label")
    ('GIF', 'PPM', '')
    """
    found = find_signature(head)
    if found is None or found.kind not in _PICTURES:
        return ""
    return "camera raw" if found.kind == RAW else found.name


def find_signature(data: bytes) -> Signature | None:
    """Return which signature a file has, or None; for what only the end says (TGA), `data` is all of it.

    Examples
    --------
    >>> find_signature(b"Rar!....").name
    'RAR'
    """
    return _find_by_rule(data) or next(
        (one for one in _SIGNATURES if data.startswith(one.start, one.at)),
        Signature(len(data) - 18, b"", PICTURE, "TGA") if data[-18:-1] == b"TRUEVISION-XFILE." else None,
    )


def _find_by_rule(data: bytes) -> Signature | None:
    """Return what more than a few fixed bytes announce: boxes by their brands, bitmaps, Netpbm."""
    if data[4:8] == b"ftyp" and (brand := _read_brands(data)):
        return Signature(4, b"ftyp", *brand)
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in _BITMAP_HEADERS:
        return Signature(0, b"BM", READ, "BMP")
    if data[:1] == b"P" and data[2:3] in (b"\n", b" ", b"\t", b"\r"):
        if data[1:2] == b"7":
            return Signature(0, b"P7", PICTURE, "PAM")
        if name := _NETPBM.get(data[1:2]):
            return Signature(0, data[:2], READ, name)
    return None


def _read_brands(data: bytes) -> tuple[str, str] | None:
    """Return what a file of boxes holds: its brand says so, or where that is general, those beside it."""
    size = int.from_bytes(data[:4], "big")
    first, *beside = [data[8:12], *(data[at : at + 4] for at in range(16, min(size, len(data)), 4))]
    named = [_BRANDS[brand] for brand in beside if brand in _BRANDS]
    return (READ, "AVIF") if first in _GENERAL and (READ, "AVIF") in named else _BRANDS.get(first)
