"""Names of files as another system wrote them: read where one encoding is clearly meant, else asked for."""

from __future__ import annotations

import codecs
import re
import struct
import unicodedata
import zlib
from collections.abc import Iterable, Sequence

from ...errors import ArchiveError, UsageError

# What old Windows, DOS and Mac programs wrote where people did not use UTF-8.
_ENCODINGS = ("cp1252", "cp850", "cp437", "cp866", "cp1251", "gbk", "big5", "shift_jis", "euc_kr")
_OF_DOS = ("cp850", "cp437", "cp866")
_MOST_JUDGED = 2000
_WORD = re.compile(r"[^\W\d_]+")
# The scripts whose letters people mix in one word.
_TOGETHER = {"HIRAGANA": "CJK", "KATAKANA": "CJK"}
_UNICODE_PATH = 0x7075


def check_encoding(name: str) -> None:
    """Refuse what names no encoding of texts.

    Raises
    ------
    UsageError
        With some that are known.
    """
    try:
        if name:
            "".encode(codecs.lookup(name).name)
    except (LookupError, TypeError, ValueError):
        raise UsageError(
            "{name!r} is no encoding of names; usual ones are {known}.",
            name=name,
            known=", ".join(_ENCODINGS),
        ) from None


def read_unicode_path(extra: bytes, raw: bytes) -> str | None:
    """Return the name in UTF-8 that a zip file's extra field 0x7075 gives for `raw`; None where it is none.

    References
    ----------
    PKWARE, APPNOTE.TXT, section 4.6.9.
    """
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        body, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == _UNICODE_PATH and len(body) > 5 and body[0] == 1:
            matches = int.from_bytes(body[1:5], "little") == zlib.crc32(raw)
            return body[5:].decode("utf-8", "replace") if matches else None
    return None


def find_encoding(names: Iterable[bytes], called: str, *, of_dos: bool = True) -> str:
    """Return the encoding of an archive's names, of which the archive says nothing.

    It is UTF-8 where all names are valid in it, and else the one in which all read as words of one script.
    `of_dos` is whether DOS may have written them.

    Raises
    ------
    ArchiveError
        If several could be meant; it tells how the names would read.
    """
    odd = [name for name in names if not name.isascii()][:_MOST_JUDGED]
    if all(_decode(name, "utf-8") is not None for name in odd):
        return "utf-8"
    able = [encoding for encoding in _ENCODINGS if of_dos or encoding not in _OF_DOS]
    read = {encoding: [_decode(name, encoding) for name in odd] for encoding in able}
    likely = {
        enc: texts for enc, found in read.items() if (texts := _keep_whole(found)) and _read_well(texts)
    }
    if len({tuple(texts) for texts in likely.values()}) == 1:
        return next(iter(likely))
    readings = {texts[0]: enc for enc, found in reversed(read.items()) if (texts := _keep_whole(found))}
    shown = [f"{text} in {enc}" for text, enc in reversed(readings.items()) if enc in likely or not likely]
    raise ArchiveError(
        "{archive} does not say how its names are written. The first odd one would read {readings}. Name the "
        "right one with --names-encoding, {example} for example.",
        archive=called,
        readings=" or ".join(shown[:5]) or "as nothing known",
        example=next(iter(likely), _ENCODINGS[0]),
    )


def _keep_whole(texts: Sequence[str | None]) -> list[str]:
    """Return the texts, or none of them where one could not be read."""
    return [text for text in texts if text is not None] if None not in texts else []


def _decode(name: bytes, encoding: str) -> str | None:
    try:
        return name.decode(encoding)
    except UnicodeDecodeError:
        return None


def _read_well(texts: Iterable[str]) -> bool:
    """Return whether all that is not ASCII in texts are letters, and no word mixes scripts or odd cases."""
    for text in texts:
        if any(not c.isascii() and not _is_plain_letter(c) for c in text):
            return False
        for word in _WORD.findall(text):
            if len({_find_script(c) for c in word}) > 1 or word[1:] not in (
                word[1:].lower(),
                word[1:].upper(),
            ):
                return False
    return True


def _is_plain_letter(c: str) -> bool:
    return (
        unicodedata.category(c) in ("Lu", "Ll", "Lo", "Mn", "Mc") and unicodedata.east_asian_width(c) != "H"
    )


def _find_script(c: str) -> str:
    script = unicodedata.name(c, "").partition(" ")[0]
    return _TOGETHER.get(script, script)
