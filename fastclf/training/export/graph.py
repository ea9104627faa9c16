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

import numpy as np
import onnx
import torch
from fastai.vision.all import Learner
from torch import Tensor, nn

from ...errors import ExportError
from ...model import Preprocess
from ..network import Trunk, read_normalisation, split_network


class ExportNet(nn.Module):
    """A Learner's model in evaluation form: image in [0, 1] → features, logits and, where pooled, maps.

    The network ends with a linear layer; without an `example` (N, 3, H, W) of what it sees, to follow it
    with, its head is one, as `build_learner` makes it. What the Learner does to a batch before it is
    normalised is `resize`.
    """

    def __init__(
        self, learn: Learner, resize: nn.Module | None = None, example: Tensor | None = None
    ) -> None:
        super().__init__()
        parts = split_network(learn.model, example)
        self.body, self.pools = parts.body, parts.pools
        self.resize = resize
        self.head = fold_batch_norm(parts.norm, parts.linear)
        mean, std = read_normalisation(learn)
        self.register_buffer("mean", None if mean is None else torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", None if std is None else torch.tensor(std).view(1, 3, 1, 1))

    def prepare(self, image: Tensor) -> Tensor:
        """Return what the body sees: the image at its size, normalised."""
        if self.resize is not None:
            image = self.resize(image)
        if self.mean is not None:
            image = (image - self.mean) / self.std
        return image

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return (features, logits) or (features, logits, maps)."""
        out = self.body(self.prepare(image))
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


def compute_features_id(net: ExportNet, preprocess: Preprocess) -> str:
    """Return the hash that names cached features: of all that makes them.

    That is the preprocessing, the resizing of batches, and the body: its weights, and its layers where they
    hold more than an architecture's body.
    """
    digest = hashlib.sha256(json.dumps(preprocess.to_dict(), sort_keys=True).encode())
    state = dict(net.body.state_dict())
    if net.resize is not None:
        state |= {f"resize.{name}": value for name, value in net.resize.state_dict().items()}
    if isinstance(net.body, Trunk):
        digest.update(repr(net.body).encode())
    for name, value in sorted(state.items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def write_graph(net: ExportNet, preprocess: Preprocess, path: Path) -> None:
    """Write the network as ONNX with a dynamic batch; the graph has to be the one that a bundle promises."""
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
    _restore_bias(model)
    _forget_source(model)
    _check_head(model)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def write_network(net: ExportNet, preprocess: Preprocess, folder: Path) -> None:
    """Write a bundle's graph, and its head once more for those who compute with features."""
    write_graph(net, preprocess, folder / "model.onnx")
    np.savez(folder / "head.npz", weight=net.head.weight.detach(), bias=net.head.bias.detach())


def _name_batch(model: Any) -> None:
    """Call the first dimension of input and outputs "N", whatever the exporter named it."""
    for value in [*model.graph.input, *model.graph.output]:
        value.type.tensor_type.shape.dim[0].ClearField("dim_value")
        value.type.tensor_type.shape.dim[0].dim_param = "N"


def _restore_bias(model: Any) -> None:
    """Give the last layer back a bias of zeros, which the exporter leaves out; a refit needs its place."""
    for node in model.graph.node:
        if "logits" in node.output and list(node.input) == ["features", "head.weight"]:
            weight = next(t for t in model.graph.initializer if t.name == "head.weight")
            bias = np.zeros(weight.dims[0], np.float32)
            model.graph.initializer.append(onnx.numpy_helper.from_array(bias, "head.bias"))
            node.input.append("head.bias")


def _forget_source(model: Any) -> None:
    """Take away which lines of which files on this machine each node came from."""
    graph = model.graph
    tensors = [*graph.input, *graph.output, *graph.value_info, *graph.initializer]
    for part in (model, graph, *graph.node, *model.functions, *tensors):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")


def _check_head(model: Any) -> None:
    logits = [node for node in model.graph.node if "logits" in node.output]
    wanted = ["features", "head.weight", "head.bias"]
    if not logits or logits[0].op_type != "Gemm" or list(logits[0].input) != wanted:
        found = f"{logits[0].op_type}{tuple(logits[0].input)}" if logits else "nothing"
        raise ExportError(
            "The exporter made {found} of the head instead of Gemm{wanted}.",
            found=found,
            wanted=tuple(wanted),
        )


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
