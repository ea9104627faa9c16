"""Colour profiles as cameras write them, from their primaries alone."""

from __future__ import annotations

import struct

import numpy as np

# The primaries of Display P3 as XYZ under the profile's white (D50), and sRGB's.
P3 = ((0.5151, 0.2412, -0.0011), (0.2919, 0.6922, 0.0419), (0.1572, 0.0666, 0.7841))
SRGB = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7139))


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def build_profile(primaries: tuple[tuple[float, float, float], ...], space: bytes = b"RGB ") -> bytes:
    """Write a profile of three primaries and sRGB's curve, as cameras' are."""
    steps = np.linspace(0, 1, 1024)
    curve = np.where(steps <= 0.04045, steps / 12.92, ((steps + 0.055) / 1.055) ** 2.4)
    table = b"curv\0\0\0\0" + struct.pack(">I", 1024) + (curve * 65535).round().astype(">u2").tobytes()
    white = (0.9642, 1.0, 0.8249)
    tags = {
        name: b"XYZ \0\0\0\0" + b"".join(map(_fixed, values))
        for name, values in zip((b"rXYZ", b"gXYZ", b"bXYZ", b"wtpt"), (*primaries, white), strict=True)
    }
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), table)
    tags[b"desc"] = b"desc\0\0\0\0" + struct.pack(">I", 3) + b"P3\0" + bytes(80)
    tags[b"cprt"] = b"text\0\0\0\0" + b"none\0\0\0\0"
    listing, body, place = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        listing += name + struct.pack(">II", place + len(body), len(content))
        body += content
    head = struct.pack(
        ">I4sI4s4s4s12s4s",
        place + len(body),
        b"lcms",
        0x02400000,
        b"mntr",
        space,
        b"XYZ ",
        bytes(12),
        b"acsp",
    )
    head += bytes(28) + b"".join(map(_fixed, white)) + bytes(128 - len(head) - 40)
    return head + struct.pack(">I", len(tags)) + listing + body
