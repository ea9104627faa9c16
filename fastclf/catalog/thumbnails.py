"""A photo's small picture, as it lies in the catalog and as it is shown."""

from __future__ import annotations

import io

from PIL import Image, features

from ..photos import decode_photo, encode_jpeg, make_thumbnail

THUMBNAIL_SIDE = 256
# A smaller photo is kept as it is and enlarged when it is shown; kept enlarged, it would take ten times more.
_TINY_SIDE = THUMBNAIL_SIDE // 2


def pack_thumbnail(thumbnail: Image.Image, image: Image.Image) -> bytes:
    """Return what to keep of a photo's thumbnail."""
    if max(image.size) > _TINY_SIDE or not features.check("webp"):
        return encode_jpeg(thumbnail)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=85, method=2)
    return buffer.getvalue()


def unpack_thumbnail(kept: bytes) -> bytes:
    """Return the thumbnail as JPEG."""
    if kept.startswith(b"\xff\xd8"):
        return kept
    return encode_jpeg(make_thumbnail(decode_photo(kept, "thumbnail").image, THUMBNAIL_SIDE))
