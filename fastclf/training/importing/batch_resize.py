"""What a Learner does to whole batches before its network, as two constant matrices; found by trying it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from fastai.vision.all import IntToFloatTensor, Learner, Normalize, TensorImage
from torch import Tensor, nn

from ...errors import LearnerError
from ..network import name_step

TOLERANCE = 1e-4
_CHUNK = 8


class BatchResize(nn.Module):
    """A separable linear map of an image (..., H, W): rows (h, H) and columns (W, w), for every channel."""

    rows: Tensor
    columns: Tensor

    def __init__(self, rows: Tensor, columns: Tensor) -> None:
        super().__init__()
        self.register_buffer("rows", rows)
        self.register_buffer("columns", columns)

    def forward(self, image: Tensor) -> Tensor:
        """Return (N, 3, h, w) of (N, 3, H, W)."""
        return torch.matmul(torch.matmul(self.rows, image), self.columns)


def find_batch_resize(learn: Learner, size: tuple[int, int]) -> BatchResize | None:
    """Find what the Learner's batch transforms do to a validation photo; None where they change nothing.

    Presizing (``Resize(460)``, then ``aug_transforms(size=224)``) brings a validation batch to its size by
    sampling at fixed places, which is linear in the pixels: one matrix for the rows and one for the columns.
    Both are read off the answers to stripes of (H, W), and proven on random photos. LearnerError is raised if
    what they do is not such a map, to 1e-4.
    """
    steps = [t for t in learn.dls.valid.after_batch.fs if not isinstance(t, IntToFloatTensor | Normalize)]
    try:
        return _find(lambda x: _apply(steps, x), size)
    except _NotSeparableError as e:
        names = ", ".join(name_step(t) for t in steps)
        raise LearnerError(
            "What this Learner does to a batch before its network ({names}) cannot be exported: {reason}. "
            "Allowed are aug_transforms, with or without a size, and Normalize.",
            names=names,
            reason=e,
        ) from None


class _NotSeparableError(Exception):
    """Why the batch transforms are no separable linear map."""


def _apply(steps: list[Any], images: Tensor) -> Tensor:
    batch: Any = TensorImage(images.clone())
    with torch.no_grad():
        for step in steps:
            batch = step(batch, split_idx=1)
    return torch.as_tensor(batch).as_subclass(Tensor).float()


def _find(apply: Callable[[Tensor], Tensor], size: tuple[int, int]) -> BatchResize | None:
    generator = torch.Generator().manual_seed(0)
    photos = torch.rand(3, 3, *size, generator=generator)
    try:
        answers = apply(photos)
    except Exception as e:
        raise _NotSeparableError(f"it fails on a plain photo ({type(e).__name__}: {e})") from e
    if answers.ndim != 4 or answers.shape[:2] != photos.shape[:2]:
        raise _NotSeparableError(f"of photos {tuple(photos.shape)} it makes {tuple(answers.shape)}")
    found = None
    if answers.shape != photos.shape or not _agree(answers, photos):
        found = _probe(apply, size)
    expected = photos if found is None else found(photos)
    if not _agree(apply(photos), answers):
        raise _NotSeparableError("it is another one each time")
    if expected.shape != answers.shape or not _agree(expected, answers):
        raise _NotSeparableError("it is no fixed resampling of rows and columns")
    other = torch.rand(1, 3, *size, generator=generator)
    if not _agree(apply(other), other if found is None else found(other)):
        raise _NotSeparableError("one photo gets something else than several")
    return found


def _agree(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and bool((a - b).abs().max() <= TOLERANCE)


def _probe(apply: Callable[[Tensor], Tensor], size: tuple[int, int]) -> BatchResize:
    """Read both matrices off the answers to one white row, and one white column, at a time."""
    height, width = size
    white = apply(torch.ones(1, 3, height, width))[0, 0]
    row, column = white.shape[0] // 2, white.shape[1] // 2
    if abs(float(white[row, column])) < TOLERANCE:
        raise _NotSeparableError("of a white photo it makes a black one")
    rows = _read_stripes(apply, size, 0)[:, :, column].T
    columns = _read_stripes(apply, size, 1)[:, row, :]
    # either is known up to a factor: the white photo's middle fixes it
    return BatchResize(rows.contiguous(), (columns / white[row, column]).contiguous())


def _read_stripes(apply: Callable[[Tensor], Tensor], size: tuple[int, int], axis: int) -> Tensor:
    """Return the answers (n, h, w) to the n photos with one white row (axis 0) or column (axis 1)."""
    n = size[axis]
    stripes = torch.eye(n)[:, :, None] if axis == 0 else torch.eye(n)[:, None, :]
    photos = stripes.expand(n, *size)
    found = []
    for start in range(0, n, 3 * _CHUNK):
        part = photos[start : start + 3 * _CHUNK]
        # three stripes travel in one photo, a channel each
        padded = torch.cat([part, torch.zeros(-len(part) % 3, *size)]).reshape(-1, 3, *size)
        found.append(apply(padded).flatten(0, 1)[: len(part)])
    return torch.cat(found)
