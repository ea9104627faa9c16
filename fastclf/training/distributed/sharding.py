"""One batch, several processes: each takes its part, and the step is the one that one process would make."""

from __future__ import annotations

from typing import Any

import torch
from accelerate.utils import DistributedDataParallelKwargs
from fastai.data.core import TfmdDL
from fastai.distributed import DistributedTrainer
from fastai.learner import AvgMetric
from fastai.torch_core import get_model
from timm.layers import convert_sync_batchnorm
from torch import nn

from ...errors import UsageError
from .team import Team

_Swapped = list[tuple[nn.Module, str, nn.Module]]


class ShardedDL(TfmdDL):
    """A loader of one process's part of every batch; the parts of all are the whole loader's batch of `bs`.

    fastai's `DistributedDL` cuts the order of the photos instead, pads it, and needs CUDA; accelerate's own
    loaders are torch's, and divide only batches that the number of processes divides.
    """

    def __init__(self, dataset: Any, bs: int = 64, *, team: Team, drop_last: bool = False, **options: Any):
        self.team, self.whole, self.drops_rest = team, bs, drop_last
        # parts of whole batches have one size, so that plain chunks of the chosen photos are the parts
        super().__init__(dataset, bs=len(self._cut(range(bs))), drop_last=False, **options)

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


class InStep(DistributedTrainer):
    """Train together with the other processes: parts of batches, mean gradients, common figures.

    fastai's trainer wraps the network by accelerate and unwraps it. Its loaders, figures and batch norm are
    not those of one process: it gives every process whole batches of padded photos, takes means of unequal
    parts as equal ones, and replaces timm's batch norms without the activations that these hold.

    Here gradients are those of the whole batch's mean loss, also where the parts have different sizes. Losses
    and metrics are over all photos, each counted once. On CUDA, batch norm uses the whole batch's statistics;
    a CPU has no such layer, so there each process uses its own part's, and the first one's running statistics
    count.
    """

    def __init__(self, team: Team) -> None:
        # mixed precision is fastai's own
        super().__init__(sync_bn=False, mixed_precision="no", cpu=team.device == torch.device("cpu"))
        self.team = team

    def before_fit(self) -> None:
        """Cut the loaders, and let the network share its gradients."""
        if not all(isinstance(metric, AvgMetric) for metric in self.learn.metrics):
            raise UsageError("Several processes can only compute metrics that are means over photos.")
        idle = self.team.agree(_find_idle(self.learn.model, self.dls.one_batch()[0][:2]))
        self.accelerator.ddp_handler = DistributedDataParallelKwargs(find_unused_parameters=idle)
        self.swapped = sync_batch_norm(self.learn.model) if self.dls.device.type == "cuda" else []
        super().before_fit()
        self.wrapped, train = self.learn.model, self.dls.train
        self.weight = train.bs * self.team.size / train.whole

    def _wrap_dl(self, dl: Any) -> Any:
        return dl if isinstance(dl, ShardedDL) else dl.new(cls=ShardedDL, team=self.team)

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
        super().before_validate()
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
        self.learn.model = self.wrapped
        super().after_fit()
        self.wrapped = None
        # a wrapper that lives on would go on sharing the gradients of its layers
        self.accelerator.free_memory()
        put_back(self.swapped)


def _find_idle(model: nn.Module, batch: torch.Tensor) -> bool:
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
