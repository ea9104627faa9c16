"""A request's body, read as it comes: no more of it is kept than the limits allow."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any, Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from ..errors import UnreadablePhotoError
from ..inbox import clean_name
from ..photos import MAX_BYTES, describe_excess
from .limits import (
    MOST_BODY,
    MOST_DELIMITERS,
    MOST_FIELD,
    MOST_FIELDS,
    MOST_FILES,
    MOST_JSON,
    MOST_PART_HEADER,
    MOST_PART_HEADERS,
    MOST_PARTS,
)
from .problem import ProblemError
from .service import SentPhoto

NO_NAME = "photo"
# it warns of every form that is none, and strangers would fill the log
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


class Body(Protocol):
    """What takes a body, chunk by chunk: `most` bytes, each of which takes `weight` bytes of memory."""

    most: int
    weight: int

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes; may raise a ProblemError."""

    def finish(self) -> None:
        """Take note that all is here; may raise a ProblemError."""


class RawBody:
    """A body that is one file: of a photo, or of another form that is read as a whole."""

    weight = 2

    def __init__(self, most: int = MAX_BYTES) -> None:
        self.most = most
        self.data = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Keep the next bytes."""
        self.data += chunk

    def finish(self) -> None:
        """Do nothing."""


class JsonBody(RawBody):
    """A body of JSON; `value` is its object once all is here."""

    weight = 3

    def __init__(self) -> None:
        super().__init__(MOST_JSON)
        self.value: dict[str, Any] = {}

    def finish(self) -> None:
        """Read the object; ProblemError 400 where there is none."""
        self.value = read_json_object(self.data)
        self.data.clear()


class FormBody:
    """A body of several parts: files, and fields of a line each.

    A part's header, its number of headers, the number of parts and the length of a field have limits; a file
    that is larger than a photo is dropped and told by its name.
    """

    weight = 1

    def __init__(self, boundary: bytes) -> None:
        self.most = MOST_BODY
        self.photos: list[SentPhoto] = []
        self.fields: dict[str, str] = {}
        self._name, self._file = "", ""
        self._is_file = False
        self._data = bytearray()
        self._size = 0
        self._header, self._value = bytearray(), bytearray()
        self._disposition = b""
        self._is_whole = False
        self._delimiter, self._delimiters = b"--" + boundary, 0
        calls: dict[str, Callable[..., None]] = {
            "on_part_begin": self._begin, "on_part_data": self._add, "on_part_end": self._end,
            "on_header_field": self._add_header, "on_header_value": self._add_value,
            "on_header_end": self._end_header, "on_headers_finished": self._end_headers,
            "on_end": self._close,
        }  # fmt: skip
        try:
            self._parser = MultipartParser(
                boundary,
                calls,  # type: ignore[arg-type]
                max_header_count=MOST_PART_HEADERS,
                max_header_size=MOST_PART_HEADER,
            )
        except FormParserError:
            raise _build_bad_form() from None

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes; ProblemError 400 where they are in no form of parts."""
        self._delimiters += chunk.count(self._delimiter)
        if self._delimiters > MOST_DELIMITERS:
            raise ProblemError(413, "More than {n} parts in one request. Send several.", n=MOST_DELIMITERS)
        try:
            self._parser.write(chunk)
        except FormParserError:
            raise _build_bad_form() from None

    def finish(self) -> None:
        """Make sure that the last part has come to its end."""
        if not self._is_whole:
            raise _build_bad_form()

    def _begin(self) -> None:
        if len(self.photos) >= MOST_FILES:
            raise ProblemError(413, "More than {n} files in one request. Send them in several.", n=MOST_FILES)
        if len(self.fields) >= MOST_FIELDS:
            raise ProblemError(400, "More than {n} fields in one request.", n=MOST_FIELDS)
        self._data, self._size, self._disposition = bytearray(), 0, b""

    def _add_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header, self._value = bytearray(), bytearray()

    def _end_headers(self) -> None:
        kind, options = parse_options_header(self._disposition.decode("latin-1"))
        if kind != b"form-data" or b"name" not in options:
            raise ProblemError(400, "A part of the form has no name.")
        self._name = options[b"name"].decode("utf-8", "replace")
        self._is_file = b"filename" in options
        self._file = clean_name(options.get(b"filename", b"").decode("utf-8", "replace") or NO_NAME)

    def _add(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        if not self._is_file and self._size > MOST_FIELD:
            raise ProblemError(
                413,
                "A field of the form is longer than {n:d} bytes. Send photos as files, and texts shorter.",
                n=MOST_FIELD,
            )
        if self._size > MAX_BYTES:
            self._data.clear()
        else:
            self._data += data[start:end]

    def _end(self) -> None:
        if not self._is_file:
            self.fields[self._name] = self._data.decode("utf-8", "replace")
        elif self._size > MAX_BYTES:
            fault = UnreadablePhotoError(self._file, describe_excess(self._size, MAX_BYTES))
            self.photos.append(SentPhoto(self._file, fault=fault))
        else:
            self.photos.append(SentPhoto(self._file, bytes(self._data)))
        self._data = bytearray()

    def _close(self) -> None:
        self._is_whole = True


def find_boundary(content_type: str) -> bytes:
    """Return what parts the pieces of a form; ProblemError 400 where the header does not say."""
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    if not boundary:
        raise ProblemError(
            400, "The header Content-Type names no boundary; most clients write it by themselves."
        )
    return boundary


def read_json_object(data: bytes | bytearray) -> dict[str, Any]:
    """Return the object in a JSON text; ProblemError 400 where there is none, or it has too many pieces."""
    if sum(data.count(sign) for sign in (b",", b"[", b"{")) > MOST_PARTS:
        raise ProblemError(
            413, "The JSON of this request has more than {n} pieces. Send fewer photos at once.", n=MOST_PARTS
        )
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ProblemError(400, "The body is no JSON object.")
    return found


def _build_bad_form() -> ProblemError:
    return ProblemError(
        400, "The body is no multipart form, or it breaks off. `curl -F files=@photo.jpg` sends one."
    )
