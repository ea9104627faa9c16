"""Architectures with random weights: built, exported and timed as a trained model is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from fastai.vision.all import (
    CategoryBlock,
    DataBlock,
    DataLoaders,
    ImageBlock,
    IndexSplitter,
    Learner,
    Normalize,
    Resize,
    imagenet_stats,
)

from ...model import Latency, time_graph
from ...system import scratch_folder
from ..network import build_learner, read_preprocess
from .graph import ExportNet, write_graph

_VOCAB = ("class 0", "class 1", "class 2")


def build_blank_dls(size: int, item_tfms: Any = None, *, vocab: Sequence[str] = _VOCAB) -> DataLoaders:
    """Return DataLoaders of six pictures of noise at `size` pixels, brought to it by squishing by default."""
    pictures = np.random.default_rng(0).integers(0, 256, (6, size, size, 3), np.uint8)
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock(vocab=list(vocab))),
        get_x=lambda number: pictures[number],
        get_y=lambda number: vocab[number % len(vocab)],
        splitter=IndexSplitter(range(3, 6)),
        item_tfms=item_tfms or Resize(size, method="squish"),
    )
    return block.dataloaders(range(len(pictures)), bs=2, num_workers=0)


def build_blank_learner(arch: str, size: int = 224) -> Learner:
    """Build a Learner with random weights on pictures of noise, of three classes."""
    dls = build_blank_dls(size)
    dls.add_tfms([Normalize.from_stats(*imagenet_stats)], "after_batch")
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
    with scratch_folder("export") as folder:
        graph = Path(folder) / "model.onnx"
        export_blank(arch, graph, size)
        return time_graph(graph, arch, size)


def export_blank(arch: str, graph: Path, size: int = 224) -> None:
    """Write the architecture with random weights as the ONNX file `graph`; errors as in `measure_latency`."""
    learn = build_blank_learner(arch, size)
    write_graph(ExportNet(learn), read_preprocess(learn), graph)
