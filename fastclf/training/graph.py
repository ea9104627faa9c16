"""The trained network as an ONNX graph: normalise, body, pool, one linear layer."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import warnings
from pathlib import Path
from typing import Any

import onnx
import torch
from fastai.vision.all import Learner, Normalize
from torch import Tensor, nn

from ..errors import ExportError
from ..preprocess import Preprocess


class ExportNet(nn.Module):
    """A Learner's model in evaluation form: image in [0, 1] → features, logits and, where pooled, maps.

    Parameters
    ----------
    learn
        A Learner from `build_learner`.

    Raises
    ------
    ExportError
        If its head is not (pool, flatten,) batch norm, dropout, linear.
    """

    def __init__(self, learn: Learner) -> None:
        super().__init__()
        self.body = learn.model[0]
        self.pools, norm, linear = _read_head(learn.model[1])
        self.head = fold_batch_norm(norm, linear)
        mean, std = read_normalisation(learn)
        self.register_buffer("mean", None if mean is None else torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", None if std is None else torch.tensor(std).view(1, 3, 1, 1))

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return (features, logits) or (features, logits, maps)."""
        if self.mean is not None:
            image = (image - self.mean) / self.std
        out = self.body(image)
        features = out.mean((2, 3)) if self.pools else out
        logits = self.head(features)
        return (features, logits, out) if self.pools else (features, logits)


def fold_batch_norm(norm: nn.BatchNorm1d | None, linear: nn.Linear) -> nn.Linear:
    """Return one linear layer that equals `linear` after `norm` in evaluation mode."""
    weight = linear.weight.detach().double()
    bias = torch.zeros(len(weight)).double() if linear.bias is None else linear.bias.detach().double()
    if norm is not None:
        scale = norm.weight.detach().double() / torch.sqrt(norm.running_var.double() + norm.eps)
        shift = norm.bias.detach().double() - norm.running_mean.double() * scale
        bias = bias.to(weight.device) + weight @ shift
        weight = weight * scale
    folded = nn.Linear(weight.shape[1], weight.shape[0])
    folded.weight.data, folded.bias.data = weight.float().cpu(), bias.float().cpu()
    return folded


def read_normalisation(learn: Learner) -> tuple[list[float] | None, list[float] | None]:
    """Return (mean, std), three numbers each, that the Learner normalises with; None where it does not."""
    for transform in learn.dls.valid.after_batch.fs:
        if isinstance(transform, Normalize):
            return transform.mean.flatten().tolist(), transform.std.flatten().tolist()
    return None, None


def compute_features_id(net: ExportNet, preprocess: Preprocess) -> str:
    """Return the hash that names cached features: of the body's weights and the preprocessing."""
    digest = hashlib.sha256(json.dumps(preprocess.to_dict(), sort_keys=True).encode())
    for name, value in sorted(net.body.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def write_graph(net: ExportNet, preprocess: Preprocess, path: Path) -> None:
    """Write the network as ONNX with a dynamic batch.

    Raises
    ------
    ExportError
        If the graph is not the one that a bundle promises.
    """
    names = ["features", "logits", "maps"][: 3 if net.pools else 2]
    image = torch.rand(2, *preprocess.input_size)
    with _silence(), torch.no_grad():
        program = torch.onnx.export(
            net.cpu().eval(),
            (image,),
            input_names=["image"],
            output_names=names,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            dynamo=True,
            verbose=False,
        )
    model = program.model_proto
    _name_batch(model)
    _check_head(model)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def _read_head(head: nn.Sequential) -> tuple[bool, nn.BatchNorm1d | None, nn.Linear]:
    layers = [
        m for m in head.modules() if not list(m.children()) and not isinstance(m, nn.Dropout | nn.Identity)
    ]
    pools = bool(layers) and isinstance(layers[0], nn.AdaptiveAvgPool2d)
    if pools:
        layers = layers[2:]
    norm = layers[0] if layers and isinstance(layers[0], nn.BatchNorm1d) else None
    rest = layers[1:] if norm is not None else layers
    if len(rest) != 1 or not isinstance(rest[0], nn.Linear):
        raise ExportError(
            "This Learner's head is not one linear layer. Build it with fastclf.training.build_learner, or "
            "vision_learner(..., lin_ftrs=[], concat_pool=False)."
        )
    return pools, norm, rest[0]


def _name_batch(model: Any) -> None:
    """Call the first dimension of input and outputs "N", whatever the exporter named it."""
    for value in [*model.graph.input, *model.graph.output]:
        value.type.tensor_type.shape.dim[0].ClearField("dim_value")
        value.type.tensor_type.shape.dim[0].dim_param = "N"


def _check_head(model: Any) -> None:
    logits = [node for node in model.graph.node if "logits" in node.output]
    wanted = ["features", "head.weight", "head.bias"]
    if not logits or logits[0].op_type != "Gemm" or list(logits[0].input) != wanted:
        found = f"{logits[0].op_type}{tuple(logits[0].input)}" if logits else "nothing"
        raise ExportError(f"The exporter made {found} of the head instead of Gemm{tuple(wanted)}.")


@contextlib.contextmanager
def _silence() -> Any:
    """Keep the exporter's chatter off the terminal."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
