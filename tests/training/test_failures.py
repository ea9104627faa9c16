"""What breaks a training from outside is told with the way on: no memory, no room for workers, lost photos."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fastclf.catalog import Dataset, load_dataset
from fastclf.errors import FastclfError, MemoryShortageError, PhotosError, UsageError

pytest.importorskip("fastai")

import torch

from fastclf.training.failures import explained, find_fitting_batch


class _Small(torch.nn.Module):
    """A network for which so many photos fit into memory."""

    def __init__(self, fitting: int) -> None:
        super().__init__()
        self.fitting, self.weight = fitting, torch.nn.Parameter(torch.ones(1))

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        if len(batch) > self.fitting:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        return batch * self.weight


def build_training(data: Dataset, fitting: int = 99, workers: int = 0) -> Any:
    dls = SimpleNamespace(train=SimpleNamespace(bs=16))
    return SimpleNamespace(
        data=data, options=SimpleNamespace(workers=workers), plan=SimpleNamespace(size=8),
        learn=SimpleNamespace(model=_Small(fitting), dls=dls),
    )  # fmt: skip


@pytest.fixture
def data(photo_folder: Path) -> Dataset:
    return load_dataset(photo_folder)


def end(training: Any, error: BaseException) -> BaseException:
    with (
        pytest.raises(type(error) if isinstance(error, KeyError) else Exception) as caught,
        explained(training),
    ):
        raise error
    return caught.value


@pytest.mark.parametrize(
    ("fitting", "words"), [(9, "--batch-size 8 or"), (3, "--batch-size 2 or"), (1, "--mode head")]
)
def test_a_batch_that_does_not_fit_is_told_with_one_that_was_tried(
    data: Dataset, fitting: int, words: str
) -> None:
    told = end(build_training(data, fitting), RuntimeError("CUDA out of memory. Tried to allocate"))
    assert isinstance(told, MemoryShortageError)
    assert str(told).startswith("A batch of 16 photos of 8 x 8 pixels does not fit into memory. Try")
    assert words in str(told)


def test_the_largest_half_that_fits_is_found(data: Dataset) -> None:
    for fitting, found in ((15, 8), (1, None)):
        assert find_fitting_batch(build_training(data, fitting).learn, 8, 16) == found


@pytest.mark.parametrize(
    "words",
    [
        "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that ...",
        "Caught RuntimeError in DataLoader worker process 0.\nTraceback (most recent call last):\nunable to write "
        "to file </torch_7_0>: No space left on device (28)",
        "DataLoader worker (pid(s) 12, 13) exited unexpectedly",
        "received 0 items of ancdata",
        "unable to open shared memory object </torch_1> in read-write mode: Too many open files (24)",
    ],
)
def test_workers_without_shared_memory_are_told_of(data: Dataset, words: str) -> None:
    told = end(build_training(data, workers=2), RuntimeError(words))
    assert isinstance(told, UsageError)
    assert "--workers 0" in str(told)
    assert "Traceback" not in str(told)


@pytest.mark.parametrize("gone", [True, False])
def test_a_photo_that_goes_or_breaks_meanwhile_is_named(data: Dataset, gone: bool) -> None:
    photo = data.rows[3].photo
    photo.path.unlink()
    if not gone:
        photo.path.write_bytes(b"\x89PNG cut")
    told = end(build_training(data), OSError("image file is truncated (0 bytes not processed)"))
    assert isinstance(told, PhotosError)
    assert "the same command goes on" in str(told)
    assert photo.name in str(told)
    assert data.rows[2].photo.name not in str(told)


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), UsageError("Said already.")])
def test_what_has_another_cause_is_left_as_it_is(data: Dataset, error: Exception) -> None:
    assert end(build_training(data), error) is error
    assert isinstance(error, FastclfError) or "photo" not in str(error)
