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
    transform = _open_profile(image, profile)[1]
    return None if transform is None else ImageCms.applyTransform(image, transform)


def reads_profile(image: Image.Image, profile: bytes | None) -> bool:
    """Return whether a photo of mode RGB, CMYK or L has no profile, or one that can be read."""
    return _open_profile(image, profile)[0]


def _open_profile(
    image: Image.Image, profile: bytes | None
) -> tuple[bool, ImageCms.ImageCmsTransform | None]:
    """Return whether a profile can be read, and what it changes: None for nothing."""
    if not profile:
        return True, None
    return (False, None) if len(profile) > _MAX_PROFILE else _build_transform(bytes(profile), image.mode)


@functools.lru_cache(maxsize=4)  # the photos of one camera; each keeps its profile in memory
def _build_transform(profile: bytes, mode: str) -> tuple[bool, ImageCms.ImageCmsTransform | None]:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        kind = _SPACES.get(source.profile.xcolor_space)
        if kind != mode:
            # programs leave a coloured photo's profile in its grey copy, which has no colours to lose
            return (kind, mode) == ("RGB", "L"), None
        # what is white on the screen stays white
        intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB", intent)
        return True, (transform if mode != "RGB" or _moves(transform) else None)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return False, None


def _moves(transform: ImageCms.ImageCmsTransform) -> bool:
    grid = np.stack(np.meshgrid(_STEPS, _STEPS, _STEPS), -1).reshape(6, 36, 3)
    moved = np.asarray(ImageCms.applyTransform(Image.fromarray(grid), transform)).astype(int)
    return bool(np.abs(moved - grid).max() > 1)
