"""One photo large, over the page: zoom and pan, the next one, its heat map, and what its list offers."""

from __future__ import annotations

from ...photos import MAX_FOLDER_BYTES, Source, decode_photo, encode_jpeg, make_thumbnail
from .scripted import ScriptedWidget

# The longer side of what is sent to be looked at closely.
_SIDE = 1600


def encode_large(source: Source, name: str | None = None) -> bytes:
    """Return a photo as a JPEG to be looked at closely: upright, and nothing but the picture.

    Raises
    ------
    UnreadablePhotoError
        If it cannot be decoded.
    """
    image = decode_photo(source, name, max_bytes=MAX_FOLDER_BYTES, least_side=_SIDE).image
    return encode_jpeg(make_thumbnail(image, _SIDE) if max(image.size) > _SIDE else image, 90)


class PhotoViewer(ScriptedWidget):
    """Shows the photo of any list on the page that asks for it by the event ``fastclf-view``.

    The event's `detail` is the list's side of it, an object with

    - ``key`` and ``step(n)``: the photo to show, and the way to its neighbours;
    - ``describe(key)``: ``title``, ``place`` ("3 of 24"), ``lines`` of words and ``actions`` of (text, act);
    - ``picture(key)``: the address of the small picture, and ``large(key)``: a promise of that of the large
      one;
    - ``heat(key)``, if it has any: ``url`` and ``words`` of a heat map;
    - ``beside(key)``, if it has copies: the photos that stand side by side with it, itself among them; and of
      each ``caption(key)``, ``choose(key)`` and ``keep(key)``;
    - ``onKey(event)``: keys that mean something in the list; and ``onClose()``.

    The viewer gives it ``viewer``, whose ``refresh()`` shows what has changed, ``say(words)`` tells what was
    done, and ``leave()`` closes it.
    """

    _parts = ("pane.js",)
