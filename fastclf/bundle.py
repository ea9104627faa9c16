"""A model as plain data: a folder with `bundle.json`, the ONNX graph and small arrays, hashed and checked."""

from __future__ import annotations

import csv
import json
import math
import sys
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import BundleError
from .files import csv_bytes, hash_file, recover_folder, write_atomic
from .ood import KIND, KnnDetector
from .preprocess import Preprocess

SCHEMA = 1
MANIFEST = "bundle.json"
_REQUIRED_KEYS = (
    "schema", "fastclf", "python", "created", "arch", "vocab", "features_id", "preprocess",
    "temperature", "metrics", "sealed_test", "training", "files",
)  # fmt: skip
_REQUIRED_FILES = ("model.onnx", "head.npz", "photos.csv")
# What reading a damaged or hostile file raises, below Python's own parsers.
_DAMAGE = (
    OSError, ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError,
    EOFError, zipfile.BadZipFile, zlib.error, csv.Error,
)  # fmt: skip
_PHOTO_COLUMNS = ("sha256", "label", "group", "split")


@dataclass(frozen=True)
class PhotoRow:
    """What the bundle remembers of one photo it was trained or judged on.

    Attributes
    ----------
    sha256
        Hash of the file's bytes.
    label
        Its class at the time.
    group
        The photos with the same group never straddle two splits.
    split
        "train", "valid" or "test".
    """

    sha256: str
    label: str
    group: str
    split: str


@dataclass(frozen=True)
class ModelBundle:
    """A checked model folder; nothing in it is code.

    Attributes
    ----------
    path
        The folder.
    manifest
        What `bundle.json` holds.
    """

    path: Path
    manifest: dict[str, Any]

    @classmethod
    def load(cls, path: str | Path, *, verify: bool = True) -> ModelBundle:
        """Open a bundle and check it.

        Parameters
        ----------
        path
            The folder that holds `bundle.json`.
        verify
            Whether the files' hashes are compared as well.

        Raises
        ------
        BundleError
            If it is missing, or a hash, the schema or a shape does not fit; the message says which.
        """
        folder = Path(path)
        recover_folder(folder)
        try:
            bundle = cls(folder, _read_manifest(folder))
            bundle._check_manifest()
            if verify:
                bundle.verify_files()
            bundle._check_head()
            bundle._check_detector()
            bundle.read_photos()
        except BundleError:
            raise
        except _DAMAGE as e:
            text = " ".join(str(e).split())[:120] or type(e).__name__
            raise BundleError(
                f"The model {folder} is damaged ({text}). Copy it again, or train again."
            ) from None
        return bundle

    @property
    def vocab(self) -> list[str]:
        """The class names in the order of the logits."""
        return list(self.manifest["vocab"])

    @property
    def temperature(self) -> float:
        """What the logits are divided by before softmax."""
        return float(self.manifest["temperature"])

    @property
    def title(self) -> str:
        """What the dashboard calls it."""
        return str(self.manifest.get("title") or "Photo classifier")

    @property
    def onnx_path(self) -> Path:
        """The graph's file."""
        return self.path / "model.onnx"

    @cached_property
    def preprocess(self) -> Preprocess:
        """How a decoded photo becomes the graph's input."""
        return Preprocess.from_dict(self.manifest["preprocess"])

    @cached_property
    def head(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """(weight, bias) of the last layer: (K, D) and (K,)."""
        with np.load(self.path / "head.npz", allow_pickle=False) as arrays:
            return arrays["weight"], arrays["bias"]

    @cached_property
    def detector(self) -> KnnDetector | None:
        """What tells photos unlike the training photos, or None where the bundle holds none."""
        ood = self.manifest.get("ood")
        if not ood or "ood.npz" not in self.manifest["files"]:
            return None
        with np.load(self.path / "ood.npz", allow_pickle=False) as arrays:
            return KnnDetector(
                arrays["reference"], float(ood["threshold"]), int(ood["k"]), float(ood["false_alarm_rate"])
            )

    @property
    def example_files(self) -> list[Path]:
        """The example photos, in the order of their names."""
        return [self.path / name for name in sorted(self.manifest["files"]) if name.startswith("examples/")]

    def read_photos(self) -> list[PhotoRow]:
        """Return the photos that the model was trained and judged on."""
        with (self.path / "photos.csv").open(encoding="utf-8", newline="") as f:
            rows = csv.DictReader(f)
            if rows.fieldnames and tuple(rows.fieldnames) != _PHOTO_COLUMNS:
                raise BundleError(
                    f"The model {self.path} has a photos.csv with the columns {rows.fieldnames}."
                )
            return [PhotoRow(*(row[c] for c in _PHOTO_COLUMNS)) for row in rows]

    def verify_files(self) -> None:
        """Compare every file's hash with the manifest's.

        Raises
        ------
        BundleError
            On the first file that is missing or differs.
        """
        for name, expected in self.manifest["files"].items():
            file = self.path / name
            if not file.is_file():
                raise BundleError(
                    f"The model {self.path} lacks its file {name}. Copy the whole folder again."
                )
            if hash_file(file) != expected:
                raise BundleError(
                    f"The model {self.path} is not as it was written: {name} differs from the hash in "
                    f"{MANIFEST}. Copy the folder again, or train again."
                )

    def record_opening(self, opening: dict[str, Any]) -> ModelBundle:
        """Note in the manifest that the sealed test set was opened; returns the new state.

        Parameters
        ----------
        opening
            JSON values: the metrics found and what was looked at. The time is added here.
        """
        manifest = json.loads(json.dumps(self.manifest))
        manifest["sealed_test"]["openings"].append({"time": utc_now(), **opening})
        # a part of the test photos, or a second look at them, does not replace the first look at all of them
        known = manifest["metrics"].get("test")
        if not known or known["n"] < opening["metrics"]["n"]:
            manifest["metrics"]["test"] = opening["metrics"]
        write_manifest(self.path, manifest)
        return ModelBundle(self.path, manifest)

    def _check_detector(self) -> None:
        detector, ood = self.detector, self.manifest.get("ood") or {}
        if detector is None:
            return
        rows, width = detector.reference_.shape
        fits = (
            np.issubdtype(detector.reference_.dtype, np.floating)
            and width == self.head[0].shape[1]
            and 1 <= detector.k <= rows
            and all(_is_number(ood[key]) for key in ("threshold", "k", "false_alarm_rate"))
        )
        if not fits:
            raise BundleError(f"The model {self.path} has an ood.npz that does not fit {MANIFEST}.")

    def _check_manifest(self) -> None:
        missing = [key for key in _REQUIRED_KEYS if key not in self.manifest]
        if missing:
            raise BundleError(f"The model {self.path} is incomplete: {MANIFEST} lacks {', '.join(missing)}.")
        vocab, files = self.manifest["vocab"], self.manifest["files"]
        if not (isinstance(vocab, list) and len(vocab) >= 2 and all(isinstance(v, str) for v in vocab)):
            raise BundleError(f"The model {self.path} names fewer than two classes in {MANIFEST}.")
        "".join(vocab).encode()  # a lone surrogate is no text
        if not isinstance(files, dict) or not all(_is_inside(name) for name in files):
            raise BundleError(f"The model {self.path} lists files outside of its folder; do not use it.")
        for name in _REQUIRED_FILES:
            if name not in files:
                raise BundleError(f"The model {self.path} is incomplete: {MANIFEST} lists no {name}.")
        temperature = self.manifest["temperature"]
        if not isinstance(temperature, int | float) or not 1e-3 <= temperature <= 1e3:
            raise BundleError(
                f"The model {self.path} has the temperature {temperature!r}; it must be 0.001 to 1000."
            )
        sealed = self.manifest["sealed_test"]
        if not isinstance(sealed["openings"], list) or not isinstance(self.manifest["metrics"], dict):
            raise BundleError(f"The model {self.path} has no usable metrics or sealed_test in {MANIFEST}.")
        ood = self.manifest.get("ood")
        if ood and ood.get("kind") != KIND:
            raise BundleError(
                f"The model {self.path} tells unfamiliar photos by {ood.get('kind')!r}, which this fastclf "
                f"does not know ({KIND!r} it does). Update fastclf."
            )
        _ = self.preprocess

    def _check_head(self) -> None:
        try:
            weight, bias = self.head
        except _DAMAGE as e:
            raise BundleError(f"The model {self.path} has no usable head.npz ({e}).") from None
        k = len(self.vocab)
        if not np.isfinite(weight).all() or not np.isfinite(bias).all():
            raise BundleError(f"The model {self.path} has a head with numbers that are none.")
        if weight.ndim != 2 or weight.shape[0] != k or bias.shape != (k,):
            raise BundleError(
                f"The model {self.path} names {k} classes, but its head has weights {weight.shape} "
                f"and biases {bias.shape}."
            )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def utc_now() -> str:
    """Return the time as ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def python_version() -> str:
    """Return this interpreter's version, "3.11" for example."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def write_photos(folder: Path, rows: list[PhotoRow]) -> None:
    """Write `photos.csv`, sorted by hash so that equal sets give equal files."""
    ordered = sorted((r.sha256, r.label, r.group, r.split) for r in rows)
    write_atomic(folder / "photos.csv", csv_bytes(_PHOTO_COLUMNS, ordered))


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write `bundle.json` in one step."""
    write_atomic(folder / MANIFEST, (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode())


def hash_files(folder: Path) -> dict[str, str]:
    """Return {name: sha256} of every file of a bundle folder but the manifest."""
    return {name: hash_file(folder / name) for name in sorted(_files_of(folder))}


def _files_of(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != MANIFEST:
            yield name


def _is_inside(name: object) -> bool:
    if not isinstance(name, str) or not name or "\\" in name or ":" in name:
        return False
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def _read_manifest(folder: Path) -> dict[str, Any]:
    file = folder / MANIFEST
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise BundleError(
            f"There is no model in {folder}. Train one with `fastclf train DIR --out {folder}`, "
            "or name another folder."
        ) from None
    except (OSError, ValueError) as e:
        raise BundleError(f"{file} cannot be read ({e}).") from None
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        found = manifest.get("schema") if isinstance(manifest, dict) else None
        raise BundleError(
            f"The model {folder} has schema {found!r}; this fastclf reads schema {SCHEMA}. "
            "Use the fastclf that wrote it, or train again."
        )
    return manifest
