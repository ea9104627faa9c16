"""Any bytes as an archive of photos: zip and tar in every packing, read to the end and never unpacked."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from fastclf.collect import read_archive

from ...drawing import draw_photo, encode
from ..target import Target, make_folder

_NAMES = ("red/0.jpg", "../1.jpg", "/abs/2.jpg", "c\\3.jpg", "é/4.jpg", "p" * 120 + "/5.jpg")


@cache
def place() -> Path:
    return make_folder() / "photos.zip"


def take(data: bytes) -> None:
    place().write_bytes(data)
    total = 0
    for member in read_archive(place(), lambda name: True):
        assert member.data is not None or member.reason
        assert "\0" not in member.name
        assert not member.name.startswith("/") or member.data is None
        total += len(member.data or b"")
    assert total <= 200 * len(data) + 64 * 2**20


def list_seeds() -> list[bytes]:
    return [*_zip(), *_tar()]


def _zip() -> Iterator[bytes]:
    photos = [encode(draw_photo("red", n, (8, 8)), "JPEG") for n in range(len(_NAMES))]
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as archive:
            for name, photo in zip(_NAMES, photos, strict=True):
                archive.writestr(name, photo)
        yield out.getvalue()


def _tar() -> Iterator[bytes]:
    photo = encode(draw_photo("red", 0, (8, 8)), "JPEG")
    for kind, form in (("", tarfile.PAX_FORMAT), ("gz", tarfile.GNU_FORMAT), ("bz2", tarfile.USTAR_FORMAT),
                       ("xz", tarfile.PAX_FORMAT)):  # fmt: skip
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode=f"w:{kind}", format=form) as archive:
            for name in _NAMES[:2] if form == tarfile.USTAR_FORMAT else _NAMES:
                info = tarfile.TarInfo(name)
                info.size = len(photo)
                archive.addfile(info, io.BytesIO(photo))
            for number, type_ in enumerate(
                (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE)
            ):
                link = tarfile.TarInfo(f"red/link{number}.jpg")
                link.type, link.linkname = type_, "/etc/passwd"
                archive.addfile(link)
            if form == tarfile.PAX_FORMAT:
                sparse = tarfile.TarInfo("red/sparse.jpg")
                sparse.size, sparse.pax_headers = (
                    3,
                    {"GNU.sparse.realsize": "9" * 20, "GNU.sparse.map": "0,9"},
                )
                archive.addfile(sparse, io.BytesIO(b"abc"))
        yield out.getvalue()


TARGETS = [
    Target(
        "archive",
        take,
        list_seeds,
        (b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"ustar\0", b"GNU.sparse.size=9999999999\n",
         b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\0", b"\xff\xff\xff\xff", b"77777777777", b"\x80\0\0\0\0\0\0\0", b"../",
         b"path=", b"size="),
    )
]  # fmt: skip
