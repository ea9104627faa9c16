"""The processes of one training, which `accelerate launch` or `torchrun` start; usually there is one.

`accelerate launch -m fastclf train DIR` starts one a GPU, `torchrun --nproc_per_node 2 -m fastclf train DIR`
also some on a CPU. The first one prepares, speaks and writes; the others only fit what it hands them.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import io
import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from fastai.torch_core import default_device
from fastai.vision.all import Learner
from torch import nn

from ...errors import FastclfError, Message, MissingExtraError, UsageError
from ...system import advise_install, read_rank

_T = TypeVar("_T")

# The first process may read 100,000 photos before the others have anything to do.
_LONGEST = timedelta(days=2)
_BATCH_NORM = nn.modules.batchnorm._BatchNorm


@dataclass
class Team:
    """The processes that train together, as one of them (0 is the first) sees them.

    They are `fitting` while nobody may leave, and `dismissed` when the others know that nothing more is to be
    done. The device is None in a training of one process.
    """

    rank: int = 0
    size: int = 1
    device: torch.device | None = None
    fitting: bool = False
    dismissed: bool = False

    @property
    def is_first(self) -> bool:
        """Whether this process decides, speaks and writes."""
        return self.rank == 0

    def agree(self, value: _T) -> _T:
        """Return the first process's value in every process; all have to call."""
        if self.size == 1:
            return value
        from accelerate.utils import broadcast_object_list

        [agreed] = broadcast_object_list([value])
        return agreed

    def gather(self, value: _T) -> list[_T]:
        """Return every process's value, in the order of their ranks; all have to call."""
        if self.size == 1:
            return [value]
        from accelerate.utils import gather_object

        return gather_object([value])

    @contextlib.contextmanager
    def lead(self) -> Iterator[None]:
        """Let the other processes go when this first one is done or has failed.

        fastai's `rank0_first` lets the others do the same afterwards; here only the first reads and writes.
        FastclfError is raised if another process is gone.
        """
        if self.size == 1:
            yield
            return
        self.dismissed = False
        try:
            yield
        except RuntimeError as e:
            if isinstance(e, FastclfError) or not _is_lost(e):
                raise
            self.fitting = True  # nobody is left to agree with
            raise FastclfError(
                "Another process of this training has ended; its own words say why. Start the training "
                "again: it goes on after its last whole epoch."
            ) from e
        finally:
            if self.fitting:
                # they may wait at any step, and notice only that nobody is there any more
                from fastai.distributed import teardown_distrib

                teardown_distrib()
            elif not self.dismissed:
                self.agree(None)
            self.dismissed = True

    def share(self, learn: Learner, settings: dict[str, Any], say: Callable[[str], None]) -> None:
        """Give the other processes the Learner and the arguments of `fit` that decide the result."""
        if self.size == 1:
            return
        whole = learn.dls.train.bs
        if whole < 2 * self.size:
            raise UsageError(
                "A batch of {photos} photos is too small for {processes} processes; each needs two photos. "
                "Start fewer processes, give a larger --batch-size, or use more photos.",
                photos=whole,
                processes=self.size,
            )
        buffer = io.BytesIO()
        torch.save(learn, buffer)
        self.agree((buffer.getvalue(), settings))
        problem = next((text for text in self.gather(None) if text), None)
        if problem:
            raise UsageError(problem)
        say(f"{self.size} processes train together; a batch of {whole} photos is divided among them.")
        if learn.dls.device.type == "cpu" and any(isinstance(m, _BATCH_NORM) for m in learn.model.modules()):
            say("On a CPU, batch norm looks at each process's part of the batch alone.")

    def follow(self, fit: Callable[..., Any]) -> None:
        """Fit what the first process says until it says that all is done; speak and write nothing."""
        unknown: Any = None
        try:
            while (job := self.agree(unknown)) is not None:
                state, settings = job
                learn = torch.load(io.BytesIO(state), map_location=self.device, weights_only=False)
                learn.dls.to(self.device)
                if not any(self.gather(self._find_problem(learn))):
                    fit(learn, **settings, team=self, quiet=True)
        except RuntimeError as e:
            if isinstance(e, FastclfError) or not _is_lost(e):
                raise
            raise FastclfError("The first process of this training has ended; its own words say why.") from e

    def _find_problem(self, learn: Learner) -> Message | None:
        files = [*learn.dls.train_ds.items["file"], *learn.dls.valid_ds.items["file"]]
        missing = next((file for file in files if not os.access(file, os.R_OK)), None)
        return missing and Message(
            "Process {rank} on {node} cannot read {file}. All machines need the photos "
            "and their .fastclf folder at the same path; a network folder does that.",
            rank=self.rank,
            node=platform.node(),
            file=missing,
        )


@functools.cache
def join_team() -> Team:
    """Return the processes that this one was started with; accelerate connects them.

    They train on their GPUs, or all on the CPU where there is none or ``ACCELERATE_USE_CPU`` says so.
    """
    if read_rank()[1] < 2:
        return Team()
    try:
        from accelerate import PartialState
        from accelerate.utils import parse_flag_from_env
        from fastai.distributed import teardown_distrib
    except ImportError:
        raise MissingExtraError(
            "Training with several processes needs the package accelerate, which is not installed. Run "
            "`{install}`.",
            install=advise_install("train"),
        ) from None
    on_cuda = torch.cuda.is_available() and not parse_flag_from_env("ACCELERATE_USE_CPU")
    # Gloo carries what is no tensor of a GPU: unlike NCCL it notices at once that a process is gone.
    backend = {"backend": "cuda:nccl,cpu:gloo"} if on_cuda else {}
    state = PartialState(cpu=not on_cuda, timeout=_LONGEST, **backend)
    atexit.register(teardown_distrib)
    # Where these are set, fastai gathers losses and metrics by itself, counts padding and waits for
    # processes that are not there. For fastai every process is alone; what is shared is shared here.
    for name in ("RANK", "WORLD_SIZE"):
        os.environ.pop(name, None)
    default_device(use=None if on_cuda else False)
    # a CPU has no number, whatever accelerate says
    return Team(state.process_index, state.num_processes, state.device if on_cuda else torch.device("cpu"))


def _is_lost(error: BaseException) -> bool:
    """Return whether an error only says that another process is gone."""
    if isinstance(error, torch.distributed.DistError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and ("gloo" in text or "peer" in text)
