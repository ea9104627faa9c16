"""Photos that come with the installation: scikit-learn's handwritten digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import MissingExtraError, UsageError
from ..system import advise_install, is_stray, replaced_folder

_SIDE = 32


def write_digits(folder: str | Path) -> Path:
    """Write 1,797 handwritten digits as PNG files, a folder a class: dark ink on white paper.

    Each is 8 x 8 pixels in 17 greys in the source, and 32 x 32 (bicubic) here. Digits that are there already
    are left as they are.

    Parameters
    ----------
    folder
        Where the folders 0 to 9 go; it appears when it is complete.

    Raises
    ------
    UsageError
        If something else is there.
    MissingExtraError
        If scikit-learn, which the digits come with, is not installed.

    References
    ----------
    E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository,
    1998 (CC BY 4.0).
    """
    target = Path(folder)
    if target.is_dir() and all((target / str(digit)).is_dir() for digit in range(10)):
        return target
    if target.exists() and not (target.is_dir() and all(is_stray(p.name) for p in target.iterdir())):
        raise UsageError("{target} holds something else than the digits. Name another folder.", target=target)
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise MissingExtraError(
            "The digits come with scikit-learn, which is not installed. Run `{install}`.",
            install=advise_install("train"),
        ) from None
    digits = load_digits()
    with replaced_folder(target.absolute()) as staging:
        for number, (grey, label) in enumerate(zip(digits.images, digits.target, strict=True)):
            sub = staging / str(label)
            sub.mkdir(exist_ok=True)
            ink = Image.fromarray((255 - grey * (255 / 16)).round().astype(np.uint8))
            ink.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC).save(sub / f"{number:04d}.png")
    return target


# What a recipe's `sample` can be.
SAMPLES = {"digits": write_digits}
