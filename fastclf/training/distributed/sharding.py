"""One batch, several processes: each takes its part, and the step is the one that one process would make."""

from __future__ import annotations

from typing import Any

import torch
from fastai.callback.core import Callback
from fastai.data.core import TfmdDL
from fastai.learner import AvgMetric
from fastai.torch_core import get_model
from timm.layers import convert_sync_batchnorm
from torch import nn

from ...errors import UsageProblem
from .team import Team

_Swapped = list[tuple[nn.Module, str, nn.Module]]


class ShardedDL(TfmdDL):
    """A loader of one process's part of every batch; the parts of all are the whole loader's batch.

    fastai's `DistributedDL` cuts the order of the photos instead, pads it, and needs CUDA.

    Parameters
    ----------
    dataset, **options
        As for `TfmdDL`.
    bs
        Photos in a whole batch.
    drop_last
        Whether the last batch is left out if it is not whole.
    team
        The processes.
    """

    def __init__(self, dataset: Any, bs: int = 64, *, team: Team, drop_last: bool = False, **options: Any):
        self.team, self.whole, self.drops_rest = team, bs, drop_last
        # parts of whole batches have one size, so that plain chunks of the chosen photos are the parts
        super().__init__(dataset, bs=len(self._cut(range(bs))), drop_last=False, **options)

    @classmethod
    def of(cls, loader: TfmdDL, team: Team) -> ShardedDL:
        """Return the part of a loader that belongs to this process."""
        sharded: ShardedDL = loader.new(cls=cls, team=team)
        return sharded

    def get_idxs(self) -> list[int]:
        """Return the photos of this process, in the order of the first process's loader."""
        order = self.team.agree(list(super().get_idxs()))
        return [i for start in self._starts() for i in self._cut(order[start : start + self.whole])]

    def __len__(self) -> int:
        """Return the number of batches in which this process has a part."""
        parts = (self._cut(range(start, min(start + self.whole, self.n))) for start in self._starts())
        return sum(len(part) > 0 for part in parts)

    def _starts(self) -> range:
        return range(0, self.n - self.n % self.whole if self.drops_rest else self.n, self.whole)

    def _cut(self, batch: Any) -> Any:
        n, rank, size = len(batch), self.team.rank, self.team.size
        return batch[rank * n // size : (rank + 1) * n // size]


class InStep(Callback):
    """Train together with the other processes: parts of batches, mean gradients, common figures.

    Gradients are those of the whole batch's mean loss, also where the parts have different sizes. Losses and
    metrics are over all photos, each counted once. On CUDA, batch norm uses the whole batch's statistics; a
    CPU has no such layer, so there each process uses its own part's, and the first one's running statistics
    count.

    Parameters
    ----------
    team
        The processes.
    """

    order = 11  # after mixed precision, before the Recorder

    def __init__(self, team: Team) -> None:
        self.team = team

    def before_fit(self) -> None:
        """Cut the loaders, and let the network share its gradients."""
        if not all(isinstance(metric, AvgMetric) for metric in self.learn.metrics):
            raise UsageProblem("Several processes can only compute metrics that are means over photos.")
        self.loaders = list(self.dls.loaders)
        idle = self.team.agree(find_idle(self.learn.model, self.dls.one_batch()[0][:2]))
        self.dls.loaders = [ShardedDL.of(loader, self.team) for loader in self.loaders]
        train = self.dls.train
        self.weight = train.bs * self.team.size / train.whole
        self.swapped = sync_batch_norm(self.learn.model) if self.dls.device.type == "cuda" else []
        self.wrapped = self.learn.model = self._wrap(idle)

    def before_backward(self) -> None:
        """Weigh this part of the batch; what the processes share is the mean of their gradients."""
        self.learn.loss_grad = self.loss_grad * self.weight

    def after_train(self) -> None:
        """Make the running mean of the training loss that of the whole batches."""
        smooth = self.recorder.smooth_loss
        parts = self.team.gather(float(smooth.val) * self.weight)
        smooth.val = torch.tensor(sum(parts) / self.team.size)

    def before_validate(self) -> None:
        """Use the bare network, which waits for nobody: the last batch has no part for everybody."""
        self.learn.model = get_model(self.learn.model)
        for buffer in self.learn.model.buffers():
            torch.distributed.broadcast(buffer, src=0)

    def after_validate(self) -> None:
        """Add up the losses and metrics of all processes."""
        means = [self.recorder.loss, *self.learn.metrics]
        parts = self.team.gather([(float(mean.total), int(mean.count)) for mean in means])
        for mean, (*own,) in zip(means, zip(*parts, strict=True), strict=True):
            mean.total, mean.count = sum(total for total, _ in own), sum(count for _, count in own)
        self.learn.model = self.wrapped

    def after_fit(self) -> None:
        """Leave the Learner as it was, with what it learned."""
        self.learn.model, self.wrapped = get_model(self.learn.model), None
        # a wrapper that lives on would go on sharing the gradients of its layers
        self.team.accelerator.free_memory()
        put_back(self.swapped)
        self.dls.loaders = self.loaders

    def _wrap(self, idle: bool) -> Any:
        from accelerate.utils import DistributedDataParallelKwargs

        accelerator = self.team.accelerator
        accelerator.ddp_handler = DistributedDataParallelKwargs(find_unused_parameters=idle)
        return accelerator.prepare_model(self.learn.model)


def find_idle(model: nn.Module, batch: torch.Tensor) -> bool:
    """Return whether some trained layers have no part in the answer, as in timm bodies without their head."""
    trained = [p for p in model.parameters() if p.requires_grad]
    model.eval()(batch).sum().backward()
    idle = any(p.grad is None for p in trained)
    for p in trained:
        p.grad = None
    return idle


def sync_batch_norm(model: nn.Module) -> _Swapped:
    """Let batch norms use the statistics of all processes; return what `put_back` needs."""
    found = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent.named_children()
        if isinstance(child, nn.modules.batchnorm._BatchNorm)
    ]
    # timm's, unlike torch's, keeps the activation that some of its batch norms hold
    convert_sync_batchnorm(model)
    return found


def put_back(found: _Swapped) -> None:
    """Undo `sync_batch_norm`, and keep what was learned."""
    for parent, name, layer in found:
        layer.load_state_dict(getattr(parent, name).state_dict())
        setattr(parent, name, layer)
