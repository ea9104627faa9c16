"""Architectures with random weights: built, exported and timed as a trained model is."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from fastai.vision.all import (
    CategoryBlock,
    DataBlock,
    ImageBlock,
    IndexSplitter,
    Learner,
    Normalize,
    Resize,
    imagenet_stats,
)

from ...model import Latency, time_graph
from ..network import build_learner, read_preprocess
from .graph import ExportNet, write_graph


def build_blank_learner(arch: str, size: int = 224) -> Learner:
    """Build a Learner with random weights on six pictures of noise, of three classes."""
    pictures = np.random.default_rng(0).integers(0, 256, (6, size, size, 3), np.uint8)
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock(vocab=["class 0", "class 1", "class 2"])),
        get_x=lambda number: pictures[number],
        get_y=lambda number: f"class {number % 3}",
        splitter=IndexSplitter(range(3, 6)),
        item_tfms=Resize(size, method="squish"),
        batch_tfms=Normalize.from_stats(*imagenet_stats),
    )
    dls = block.dataloaders(range(len(pictures)), bs=2, num_workers=0)
    return build_learner(dls, arch, pretrained=False)


def measure_latency(arch: str, size: int = 224) -> Latency:
    """Export the architecture with random weights and time it on one photo, as a model is opened and run.

    The time does not depend on the weights. Decoding and resizing the photo, to `size` pixels in height and
    width, are not in it.

    Raises
    ------
    UsageError
        If the architecture is unknown or does not take the size.
    ExportError
        If it does not export, or ONNX Runtime does not run it.
    """
    with tempfile.TemporaryDirectory(prefix="fastclf-") as folder:
        graph = Path(folder) / "model.onnx"
        export_blank(arch, graph, size)
        return time_graph(graph, arch, size)


def export_blank(arch: str, graph: Path, size: int = 224) -> None:
    """Write the architecture with random weights as the ONNX file `graph`; errors as in `measure_latency`."""
    learn = build_blank_learner(arch, size)
    write_graph(ExportNet(learn), read_preprocess(learn), graph)
