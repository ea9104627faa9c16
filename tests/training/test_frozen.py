"""Mode head with an architecture that has to be made with torch: its graph is kept, and is the network's own."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from fastclf import Predictor
from fastclf.backbone import Backbone
from fastclf.errors import WeightsError
from fastclf.model import FeatureCache
from fastclf.system import hash_file
from fastclf.training import freeze_body, train
from fastclf.training.export import frozen
from fastclf.training.fitting import compute_features

from .tiny import ARCH, SIZE, build, write_weights

pytestmark = pytest.mark.slow


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's bodies are kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "fastclf" / "bodies"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The architectures that were made with torch."""
    made: list[str] = []
    inner = frozen.build_learner
    monkeypatch.setattr(
        frozen, "build_learner", lambda dls, arch, **options: made.append(arch) or inner(dls, arch, **options)
    )
    return made


def test_a_head_on_weights_from_a_file_keeps_them_and_says_what_was_done(
    data: Any, weights: Path, kept: Path, made: list[str], tmp_path: Path
) -> None:
    said: list[str] = []
    options: dict[str, Any] = {"arch": ARCH, "size": SIZE, "weights": str(weights), "mode": "head"}
    out = tmp_path / "models" / "model"
    unused: dict[str, Any] = {"track": "csv", "epochs": 3, "time_limit": 600}
    bundle = train(data.photos.folder, out, **options, **unused, say=said.append, quiet=True)
    record = bundle.manifest.training.to_dict()
    assert (record["mode"], record["size"], record["resize"]) == ("head", SIZE, "published")
    assert record["head"]["own_features"] is False
    assert not {"lr", "planned_epochs", "track"} & record.keys()
    assert record["weights"] == {"name": weights.name, "sha256": hash_file(weights)}
    # its place is nobody's business
    assert str(weights.parent) not in (bundle.path / "bundle.json").read_text()
    assert any("--track csv has nothing to report" in sentence for sentence in said)
    assert any(sentence.startswith("--epochs, --time-limit: not used") for sentence in said)
    assert [path.name for path in out.parent.iterdir()] == ["model"]
    assert "export.pkl" not in bundle.manifest.files
    written, published = load_file(bundle.path / "body.safetensors"), load_file(weights)
    assert len(written) > 10
    for name, value in written.items():
        assert np.array_equal(value, published[name.removeprefix("model.")]), name
    # the features that were learned from are the network's, and are cached
    photos = data.part("valid")
    cache = FeatureCache(data.private, bundle.manifest.features_id)
    rows, there = cache.stack([photo.sha256 for photo in photos])
    assert there.all()
    expected = compute_features(build(data, weights=weights), data, "valid")
    assert np.abs(rows - expected).max() <= 1e-4 * max(1, np.abs(expected).max())
    assert [answer.label for answer in Predictor(bundle).predict_many([p.path for p in photos])] == [
        bundle.vocab[k] for k in (rows @ bundle.head[0].T + bundle.head[1]).argmax(1)
    ]

    again = train(data.photos.folder, tmp_path / "again", **options, quiet=True)
    assert made == [ARCH]
    assert again.manifest.features_id == bundle.manifest.features_id

    [folder] = kept.iterdir()
    (folder / "body.onnx").write_bytes(b"damaged")
    body, _ = freeze_body(ARCH, size=SIZE, weights=str(weights))
    assert made == [ARCH, ARCH]
    assert body.features_id == bundle.manifest.features_id
    assert list(kept.iterdir()) == [folder]


@pytest.fixture(scope="module")
def body(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Backbone]:
    """A body, and the folder that it is kept in."""
    root = tmp_path_factory.mktemp("bodies")
    made, files = freeze_body(ARCH, size=SIZE, weights=str(weights), root=root)
    [folder] = root.iterdir()
    assert files == {"body.safetensors": folder / "body.safetensors"}
    return folder, made


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("body.onnx", lambda old: old[:-9] + bytes(9)),
        ("body.safetensors", lambda old: old[: len(old) // 2]),
        ("record.json", lambda _: b'{"files": 3}'),
        ("record.json", lambda _: b"[]"),
        ("record.json", lambda old: old[:-9]),
        ("record.json", lambda old: old.replace(b'"crop"', b'"fold"')),
        ("record.json", None),
    ],
)
def test_a_kept_body_is_taken_unless_it_is_damaged(
    body: tuple[Path, Backbone], weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    name: str, damage: Any,
) -> None:  # fmt: skip
    monkeypatch.setattr(frozen, "_make", lambda *_: "made anew")
    folder = Path(shutil.copytree(body[0], tmp_path / body[0].name))

    def freeze() -> Any:
        return freeze_body(ARCH, size=SIZE, weights=str(weights), root=tmp_path)[0]

    assert freeze() == body[1]
    if damage is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(damage((folder / name).read_bytes()))
    assert freeze() == "made anew"


def test_bodies_are_kept_by_network_weights_size_and_transform(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen, "_make", lambda folder, *_: folder.name)
    copy = Path(shutil.copy(weights, tmp_path / "copy.safetensors"))
    other = write_weights(tmp_path / "other.safetensors", seed=2)

    def freeze(arch: str = ARCH, file: Path = weights, **options: Any) -> Any:
        return freeze_body(arch, weights=str(file), root=tmp_path, **{"size": SIZE, **options})[0]

    found = [freeze(), freeze(file=other), freeze(size=48), freeze(resize="crop"), freeze("test_byobnet")]
    assert len(set(found)) == 5
    # the file's name decides nothing
    assert freeze(file=copy) == found[0]
    monkeypatch.setattr(frozen.timm, "__version__", "0.0")
    assert freeze() not in found


def test_weights_that_do_not_fit_leave_nothing_behind(tmp_path: Path, kept: Path) -> None:
    foreign = write_weights(tmp_path / "foreign.safetensors", "test_vit")
    with pytest.raises(WeightsError, match="fit"):
        freeze_body(ARCH, size=SIZE, weights=str(foreign))
    assert list(kept.iterdir()) == []
