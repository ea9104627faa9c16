"""A model as plain data: a folder with `bundle.json`, the ONNX graph and small arrays, hashed and checked."""

from __future__ import annotations

import csv
import json
import math
import zipfile
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..card import CARD_FILES, mend_card, save_manifest
from ..errors import BundleError
from ..system import csv_bytes, hash_file, recover_folder, utc_now, write_atomic
from .detectors import Detector, read_detector
from .manifest import MANIFEST, check_manifest, read_manifest
from .preprocess import Preprocess

# What reading a damaged or hostile file raises, below Python's own parsers.
_DAMAGE = (
    OSError, ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError,
    EOFError, zipfile.BadZipFile, zlib.error, csv.Error,
)  # fmt: skip
_PHOTO_COLUMNS = ("sha256", "label", "group", "split")
# What an opening of the test set keeps for good; the whole of the first look is in the metrics.
_BRIEF_METRICS = (
    "n", "accuracy", "accuracy_interval", "error_rate", "error_interval", "loss", "ece",
)  # fmt: skip


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
            bundle = cls(folder, read_manifest(folder))
            check_manifest(folder, bundle.manifest)
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
                "The model {folder} is damaged ({reason}). Copy it again, or train again.",
                folder=folder,
                reason=text,
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
    def detector(self) -> Detector | None:
        """What tells photos unlike the training photos, or None where the bundle holds none."""
        ood = self.manifest.get("ood")
        if not ood or "ood.npz" not in self.manifest["files"]:
            return None
        with np.load(self.path / "ood.npz", allow_pickle=False) as arrays:
            return read_detector(ood, arrays)

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
                    "The model {path} has a photos.csv with the columns {columns}.",
                    path=self.path,
                    columns=rows.fieldnames,
                )
            return [PhotoRow(*(row[c] for c in _PHOTO_COLUMNS)) for row in rows]

    def verify_files(self) -> None:
        """Compare every file's hash with the manifest's; the card is made anew where it is not of today.

        Raises
        ------
        BundleError
            On the first file that is missing or differs.
        """
        for name, expected in self.manifest["files"].items():
            if name in CARD_FILES:
                continue  # it follows from the manifest, and a kill may have come before it was written
            file = self.path / name
            if not file.is_file():
                raise BundleError(
                    "The model {path} lacks its file {name}. Copy the whole folder again.",
                    path=self.path,
                    name=name,
                )
            if hash_file(file) != expected:
                raise BundleError(
                    "The model {path} is not as it was written: {name} differs from the hash in "
                    "{file}. Copy the folder again, or train again.",
                    path=self.path,
                    name=name,
                    file=MANIFEST,
                )
        mend_card(self.path, self.manifest)

    def record_opening(
        self, opening: dict[str, Any], false_alarms: dict[str, Any] | None = None
    ) -> ModelBundle:
        """Note in manifest and card that the sealed test set was opened; returns the new state.

        Parameters
        ----------
        opening
            JSON values: the metrics found and what was looked at. The time is added here.
        false_alarms
            ``n``, ``rate`` and ``interval``: how many of the test photos are called unfamiliar.
        """
        manifest = json.loads(json.dumps(self.manifest))
        metrics = opening["metrics"]
        brief = {key: metrics[key] for key in _BRIEF_METRICS if key in metrics}
        manifest["sealed_test"]["openings"].append({"time": utc_now(), **opening, "metrics": brief})
        # a part of the test photos, or a second look at them, does not replace the first look at all of them
        known = manifest["metrics"].get("test")
        if not known or known["n"] < metrics["n"]:
            manifest["metrics"]["test"] = metrics
            if false_alarms and manifest.get("ood"):
                manifest["ood"]["test_false_alarms"] = false_alarms
        return self._save(manifest)

    def record_foreign(self, entry: dict[str, Any]) -> ModelBundle:
        """Note in manifest and card how foreign photos were told; returns the new state.

        Parameters
        ----------
        entry
            JSON values with ``name``, ``n``, ``auroc``, ``flagged``, ``flagged_interval``, ``inside`` and
            ``n_inside``; an earlier entry of that name gives way. The time is added here.

        Raises
        ------
        BundleError
            If the model has nothing that tells unfamiliar photos.
        """
        manifest = json.loads(json.dumps(self.manifest))
        if not manifest.get("ood"):
            raise BundleError(
                "The model {path} does not tell unfamiliar photos. Train again.", path=self.path
            )
        others = [e for e in manifest["ood"].get("against", []) if e["name"] != entry["name"]]
        manifest["ood"]["against"] = [*others, {**entry, "time": utc_now()}]
        return self._save(manifest)

    def _save(self, manifest: dict[str, Any]) -> ModelBundle:
        try:
            return ModelBundle(self.path, save_manifest(self.path, manifest))
        except OSError:
            raise
        except _DAMAGE as e:
            raise BundleError(
                "The model {path} has figures in {file} that no card can be made of ({reason}). Train again.",
                path=self.path,
                file=MANIFEST,
                reason=e,
            ) from None

    def _check_detector(self) -> None:
        detector, ood = self.detector, self.manifest.get("ood") or {}
        if detector is None:
            return
        # what evaluations found later stands there, too, as tables
        numbers = [v for key, v in ood.items() if key not in ("kind", "against", "test_false_alarms")]
        if not all(map(_is_number, numbers)) or not detector.fits(self.head[0].shape[1]):
            raise BundleError(
                "The model {path} has an ood.npz that does not fit {file}.", path=self.path, file=MANIFEST
            )

    def _check_head(self) -> None:
        try:
            weight, bias = self.head
        except _DAMAGE as e:
            raise BundleError(
                "The model {path} has no usable head.npz ({reason}).", path=self.path, reason=e
            ) from None
        k = len(self.vocab)
        if not np.isfinite(weight).all() or not np.isfinite(bias).all():
            raise BundleError("The model {path} has a head with numbers that are none.", path=self.path)
        if weight.ndim != 2 or weight.shape[0] != k or bias.shape != (k,):
            raise BundleError(
                "The model {path} names {classes} classes, but its head has weights {weights} "
                "and biases {biases}.",
                path=self.path,
                classes=k,
                weights=weight.shape,
                biases=bias.shape,
            )


def write_photos(folder: Path, rows: list[PhotoRow]) -> None:
    """Write `photos.csv`, sorted by hash so that equal sets give equal files."""
    ordered = sorted((r.sha256, r.label, r.group, r.split) for r in rows)
    write_atomic(folder / "photos.csv", csv_bytes(_PHOTO_COLUMNS, ordered))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
