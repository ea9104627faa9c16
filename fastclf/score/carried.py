"""A model on its way to other processes: by its path, or as bytes; opened once in each."""

from __future__ import annotations

import atexit
import io
import shutil
import tempfile
import threading
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ScoreError
from ..model import MANIFEST, ModelBundle
from .scorer import Scorer, hash_model

# What answers need of a model; each is compared with its hash where it is opened.
_FILES = (MANIFEST, "model.onnx", "head.npz", "ood.npz")

_lock = threading.Lock()
_opened: dict[tuple[str, int | None], Scorer] = {}
_kept: dict[str, bytes] = {}


@dataclass(frozen=True)
class CarriedModel:
    """A model as it is sent.

    Attributes
    ----------
    sha256
        What `hash_model` says of it; another one is not taken for it.
    path
        Its folder, or "" where it comes as bytes.
    data
        The bytes, or None where the process was given them before (`keep_model`).
    """

    sha256: str
    path: str = ""
    data: bytes | None = field(default=None, repr=False)

    @classmethod
    def of(cls, bundle: ModelBundle, *, packed: bool) -> CarriedModel:
        """Return a model as its path, or `packed` into bytes."""
        sha256 = hash_model(bundle)
        if packed:
            return cls(sha256, data=_pack(bundle.path))
        return cls(sha256, str(bundle.path.resolve()))


def keep_model(model: CarriedModel) -> None:
    """Keep a model's bytes in this process, for tasks that come without them."""
    if model.data is not None:
        _kept[model.sha256] = model.data


def open_scorer(model: CarriedModel, least_side: int | None = None) -> Scorer:
    """Return the model, opened once in a process.

    Raises
    ------
    ScoreError
        If another model lies at the path, or the bytes have not come.
    """
    with _lock:
        key = (model.sha256, least_side)
        if key not in _opened:
            bundle = ModelBundle.load(model.path or _unpack(model))
            if hash_model(bundle) != model.sha256:
                raise ScoreError(
                    "The model {path} is another one here than where the work was shared out. Copy it again.",
                    path=bundle.path,
                )
            _opened.clear()  # one model at a time
            _opened[key] = Scorer(bundle, least_side)
        return _opened[key]


def _pack(folder: Path) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in _FILES:
            if (folder / name).is_file():
                archive.write(folder / name, name)
    return packed.getvalue()


def _unpack(model: CarriedModel) -> Path:
    data = model.data if model.data is not None else _kept.get(model.sha256)
    if data is None:
        raise ScoreError("The model has not come to this process. Start the same command again.")
    folder = Path(tempfile.mkdtemp(prefix="fastclf-scored-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in _FILES:
            if name in archive.namelist():
                (folder / name).write_bytes(archive.read(name))
    return folder
