"""Colours as a photo's profile means them, brought to sRGB: what networks learned, and what browsers send."""

from __future__ import annotations

import functools
import io

import numpy as np
from PIL import Image, ImageCms

# What no honest profile has; a table for printing presses takes half a megabyte or two.
_MAX_PROFILE = 4 * 2**20
_SPACES = {"RGB ": "RGB", "CMYK": "CMYK", "GRAY": "L"}
# A grid of colours: a profile that moves none of them by more than a step is sRGB by another name.
_STEPS = np.linspace(0, 255, 6).astype(np.uint8)


def convert_to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image | None:
    """Return a photo of mode RGB, CMYK or L in sRGB colours; None where its profile changes nothing.

    A profile that is broken, huge, of another kind of colours, or sRGB anyway changes nothing.
    """
    if not profile or len(profile) > _MAX_PROFILE:
        return None
    transform = _build_transform(bytes(profile), image.mode)
    return None if transform is None else ImageCms.applyTransform(image, transform)


@functools.lru_cache(maxsize=4)  # the photos of one camera; each keeps its profile in memory
def _build_transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if _SPACES.get(source.profile.xcolor_space) != mode:
            return None
        # what is white on the screen stays white
        intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB", intent)
        return transform if mode != "RGB" or _moves(transform) else None
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _moves(transform: ImageCms.ImageCmsTransform) -> bool:
    grid = np.stack(np.meshgrid(_STEPS, _STEPS, _STEPS), -1).reshape(6, 36, 3)
    moved = np.asarray(ImageCms.applyTransform(Image.fromarray(grid), transform)).astype(int)
    return bool(np.abs(moved - grid).max() > 1)
