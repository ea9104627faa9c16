"""The processes of one training, which `accelerate launch` or `torchrun` start; usually there is one."""

from __future__ import annotations

import atexit
import functools
import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from fastai.torch_core import default_device

from ...errors import MissingExtraError

_T = TypeVar("_T")

# One of these is set by whatever starts several processes: torchrun, accelerate, MPI.
_SIZES = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
# The first process may read 100,000 photos before the others have anything to do.
_LONGEST = timedelta(days=2)


@dataclass
class Team:
    """The processes that train together, as one of them sees them.

    Attributes
    ----------
    rank
        The number of this process; 0 is the first one.
    size
        How many there are.
    accelerator
        Hugging Face's `Accelerator`; None in a training of one process.
    group
        The processes' connection through the CPU, for what is no tensor.
    fitting
        Whether the processes train just now.
    dismissed
        Whether the others know that nothing more is to be done.
    """

    rank: int = 0
    size: int = 1
    accelerator: Any = None
    group: Any = None
    fitting: bool = False
    dismissed: bool = False

    @property
    def is_first(self) -> bool:
        """Whether this process decides, speaks and writes."""
        return self.rank == 0

    @property
    def device(self) -> torch.device:
        """Where this process computes; a CPU has no number, whatever accelerate says."""
        device: torch.device = self.accelerator.device
        return torch.device("cpu") if device.type == "cpu" else device

    def agree(self, value: _T) -> _T:
        """Return the first process's value in every process; all have to call."""
        if self.size == 1:
            return value
        box = [value]
        torch.distributed.broadcast_object_list(box, src=0, group=self.group)
        return box[0]

    def gather(self, value: _T) -> list[_T]:
        """Return every process's value, in the order of their ranks; all have to call."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        torch.distributed.all_gather_object(values, value, group=self.group)
        return values


def count_processes() -> int:
    """Return how many processes were started together with this one."""
    return next((int(os.environ[name]) for name in _SIZES if os.environ.get(name, "").isdigit()), 1)


@functools.cache
def join_team() -> Team:
    """Return the processes that this one was started with; accelerate connects them.

    They train on their GPUs, or all on the CPU where there is none or ``ACCELERATE_USE_CPU`` says so.

    Raises
    ------
    MissingExtraError
        If there are several and accelerate is not installed.
    """
    if count_processes() < 2:
        return Team()
    try:
        from accelerate import Accelerator
        from accelerate.utils import InitProcessGroupKwargs
    except ImportError:
        raise MissingExtraError(
            "Training with several processes needs the package accelerate, which is not installed. Run "
            '`pip install "fastclf[train]"`.'
        ) from None
    accelerator = Accelerator(
        cpu=not torch.cuda.is_available(),
        mixed_precision="no",  # fastai's own is used
        kwargs_handlers=[InitProcessGroupKwargs(timeout=_LONGEST)],
    )
    group = torch.distributed.new_group(backend="gloo", timeout=_LONGEST)
    atexit.register(disband)
    # Where these are set, fastai gathers losses and metrics by itself, counts padding and waits for
    # processes that are not there. For fastai every process is alone; what is shared is shared here.
    for name in ("RANK", "WORLD_SIZE"):
        os.environ.pop(name, None)
    default_device(use=None if accelerator.device.type != "cpu" else False)
    return Team(accelerator.process_index, accelerator.num_processes, accelerator, group)


def disband() -> None:
    """Close the connections, so that processes that wait for this one stop waiting."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def is_lost(error: BaseException) -> bool:
    """Return whether an error only says that another process is gone."""
    if isinstance(error, torch.distributed.DistError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and ("gloo" in text or "peer" in text)
