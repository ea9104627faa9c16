"""A model as plain data: a folder with `bundle.json`, the ONNX graph and small arrays, hashed and checked."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import BundleError, ExportError, Message, UsageError
from ..system import (
    ShortRepr,
    csv_bytes,
    find_given_fault,
    find_write_error,
    hash_bytes,
    hash_file,
    is_left_over,
    is_stray,
    unify_name,
    wait_for_folder,
    write_atomic,
)
from .arrays import read_arrays
from .graph_check import check_graph
from .joint import JointDetector
from .mahalanobis import MahalanobisDetector
from .manifest import (
    CARD_FILES,
    DAMAGE,
    IMPORTED,
    LFS_POINTER,
    MANIFEST,
    Manifest,
    damage_as_error,
    read_manifest,
)
from .ood import Detector
from .preprocess import Preprocess


@dataclass(frozen=True, order=True)
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


# What a manifest may name.
KINDS: dict[str, type[Detector]] = {made.kind: made for made in (MahalanobisDetector, JointDetector)}
_PHOTOS = "photos.csv"
_SHA256 = re.compile("[0-9a-f]{64}")
# Without these there is no answer; all else in a bundle is for training further, for checks and for people.
_NEEDED = ("model.onnx", "head.npz", "ood.npz")
_TEXT_FILES = (".csv", ".json", ".md", ".html", ".txt")
_MISSING = Message("is missing; copy the whole folder again")
_FORBIDDEN = Message("may not be read by this user; its owner can change that with `chmod a+r`")
_CHANGED = Message("is not as it was written")
_POINTER = Message("is a Git LFS pointer, not the file itself; fetch it with `git lfs pull`")
# Bytes that a file may have: the largest body is some gigabytes, and ONNX takes no more than two.
_MOST_BYTES = {".onnx": 2**31, ".safetensors": 2**33, ".pkl": 2**33, ".npz": 2**28, ".jpg": 2**25}
_MOST_ELSE = 2**27
# Bytes that the smallest model takes.
_LEAST_ROOM = 20 * 2**20
_PHOTO_COLUMNS = [f.name for f in fields(PhotoRow)]


@dataclass(frozen=True, repr=False)
class ModelBundle(ShortRepr):
    """A checked model folder; nothing in it is code, and nothing here writes to it.

    Attributes
    ----------
    path
        The folder.
    manifest
        What `bundle.json` holds.

    Examples
    --------
    >>> bundle = ModelBundle.load("model")
    >>> bundle.vocab, bundle.manifest.preprocess.input_size
    (['black', 'grizzly', 'teddy'], (3, 8, 8))
    """

    path: Path
    manifest: Manifest

    @classmethod
    def load(cls, path: str | Path, *, verify: bool = True) -> ModelBundle:
        """Open the bundle in a folder and check it; to `verify` is to compare the files' hashes as well.

        Raises
        ------
        BundleError
            If it is missing, or a hash, the schema or a shape does not fit; the message says which.
        """
        folder = find_bundle_folder(Path(path))
        wait_for_folder(folder)
        with damage_as_error(folder):
            bundle = cls(folder, Manifest.read(folder))
            if verify:
                bundle.verify_files()
            bundle._check_head()
            bundle._check_detector()
            check_graph(bundle._open(bundle.onnx_path.name))
            if _find_fault(bundle.path / _PHOTOS, folder, "") == "":
                bundle.read_photos()
        return bundle

    @property
    def vocab(self) -> list[str]:
        """The class names in the order of the logits."""
        return list(self.manifest.vocab)

    @property
    def temperature(self) -> float:
        """What the logits are divided by before softmax."""
        return float(self.manifest.temperature)

    @property
    def title(self) -> str:
        """What the dashboard calls it."""
        return self.manifest.title or "Photo classifier"

    @property
    def onnx_path(self) -> Path:
        """The graph's file."""
        return self.path / "model.onnx"

    @property
    def preprocess(self) -> Preprocess:
        """How a decoded photo becomes the graph's input."""
        return self.manifest.preprocess

    @cached_property
    def head(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """(weight, bias) of the last layer: (K, D) and (K,)."""
        arrays = read_arrays(self._open("head.npz"))
        return arrays["weight"], arrays["bias"]

    @cached_property
    def detector(self) -> Detector | None:
        """What tells photos unlike the training photos, or None where the bundle holds none."""
        ood = self.manifest.ood
        if ood is None or "ood.npz" not in self.manifest.files:
            return None
        return KINDS[ood.kind].read(ood, read_arrays(self._open("ood.npz")))

    @property
    def example_files(self) -> list[Path]:
        """The example photos that are there, in the order of their names."""
        names = sorted(name for name in self.manifest.files if name.startswith("examples/"))
        files = [self.path / name for name in names if (self.path / name).is_file()]
        return [file for file in files if not _find_strange(file, self.path)]

    def read_photos(self) -> list[PhotoRow]:
        """Return the photos that the model was trained and judged on; may raise a BundleError."""
        with self.require(_PHOTOS).open(encoding="utf-8", newline="") as f:
            rows = csv.DictReader(f)
            if rows.fieldnames and list(rows.fieldnames) != _PHOTO_COLUMNS:
                raise BundleError(
                    "The model {path} has a photos.csv with the columns {columns}. "
                    "Copy it again, or train again.",
                    path=self.path,
                    columns=rows.fieldnames,
                )
            return [self._read_row(row) for row in rows]

    def _read_row(self, values: dict[str, str]) -> PhotoRow:
        row = PhotoRow(**{name: values[name] for name in _PHOTO_COLUMNS})
        if not _SHA256.fullmatch(row.sha256 or ""):
            raise BundleError(
                "The model {path} has a {file} in which {hash!r} is no photo's hash. "
                "Copy it again, or train again.",
                path=self.path,
                file=_PHOTOS,
                hash=str(row.sha256)[:80],
            )
        return replace(row, label=unify_name(row.label))

    def require(self, name: str) -> Path:
        """Return the path of a file that answers do without.

        Raises
        ------
        BundleError
            If it is missing, may not be read, or is a pointer of Git LFS.
        """
        fault = _find_fault(self.path / name, self.path, "")
        if fault:
            raise BundleError(
                "The model {path} answers, but what you want of it needs more: {name} {fault}.",
                path=self.path,
                name=name,
                fault=fault,
            )
        return self.path / name

    def verify_files(self) -> None:
        """Compare every file's hash with the manifest's, but for the card's, which is made from that.

        What no answer needs may be missing, or be out of reach: `require` says so when it is asked for.

        Raises
        ------
        BundleError
            On the first file that differs, or that is missing and needed.
        """
        for name, expected in self.manifest.files.items():
            if name in CARD_FILES:
                continue  # a kill may have come before it was written
            fault = _find_fault(self.path / name, self.path, expected)
            if fault is _CHANGED:
                raise BundleError(
                    "The model {path} is not as it was written: {name} differs from the hash in "
                    "{file}. Copy the folder again, or train again.",
                    path=self.path,
                    name=name,
                    file=MANIFEST,
                )
            if fault and (name in _NEEDED or fault not in (_MISSING, _FORBIDDEN, _POINTER)):
                raise _build_fault(self.path, name, fault)

    def _open(self, name: str) -> Path:
        """Return the path of a file that answers need; may raise a BundleError."""
        fault = _find_fault(self.path / name, self.path, "")
        if fault:
            raise _build_fault(self.path, name, fault)
        return self.path / name

    def list_faults(self) -> list[tuple[str, str]]:
        """Return the name of every file that is not as the manifest lists it, and what is wrong with it."""
        listed = self.manifest.files.items()
        faults = ((name, _find_fault(self.path / name, self.path, expected)) for name, expected in listed)
        return [(name, fault) for name, fault in faults if fault]

    def _check_detector(self) -> None:
        ood = self.manifest.ood
        if ood is not None and ood.kind not in KINDS:
            raise BundleError(
                "The model {path} tells unfamiliar photos by {kind!r}, which this fastclf "
                "does not know (it knows {kinds}). Update fastclf.",
                path=self.path,
                kind=ood.kind,
                kinds=", ".join(KINDS),
            )
        if self.detector is not None and not self.detector.fits(self.head[0].shape[1]):
            raise BundleError(
                "The model {path} has an ood.npz that does not fit {file}. Copy it again, or train again.",
                path=self.path,
                file=MANIFEST,
            )

    def _check_head(self) -> None:
        try:
            weight, bias = self.head
        except DAMAGE as e:
            raise BundleError(
                "The model {path} has no usable head.npz ({reason}).", path=self.path, reason=e
            ) from None
        k = len(self.vocab)
        if not np.isfinite(weight).all() or not np.isfinite(bias).all():
            raise BundleError(
                "The model {path} has a head with NaN or infinite weights. Copy it again, or train again.",
                path=self.path,
            )
        if weight.ndim != 2 or weight.shape[0] != k or bias.shape != (k,):
            raise BundleError(
                "The model {path} names {classes} classes, but its head has weights {weights} "
                "and biases {biases}. Copy it again, or train again.",
                path=self.path,
                classes=k,
                weights=weight.shape,
                biases=bias.shape,
            )


def find_bundle_folder(path: Path) -> Path:
    """Return the folder that is meant by a path: itself, or where a file of a bundle lies."""
    if path.is_file() and (path.parent / MANIFEST).is_file():
        return path.parent
    if path.is_file():
        hint = (
            "It is a ZIP archive: unpack it and name the folder."
            if path.open("rb").read(4) == b"PK\3\4"
            else "Name the model's folder, which holds bundle.json."
        )
        raise BundleError("{path} is a file, not a model's folder. {hint}", path=path, hint=Message(hint))
    inner = [] if (path / MANIFEST).exists() or not path.is_dir() else sorted(path.glob(f"*/{MANIFEST}"))
    if len(inner) == 1 and not inner[0].parent.name.startswith("."):
        raise BundleError(
            "There is no model in {path}, but one in {inner}. Name that folder.",
            path=path,
            inner=inner[0].parent,
        )
    return path


def _build_fault(path: Path, name: str, fault: str) -> BundleError:
    return BundleError(
        "The model {path} cannot be used: its file {name} {fault}.", path=path, name=name, fault=fault
    )


def _find_fault(file: Path, folder: Path, expected: str) -> str:
    """Return why a bundle's file cannot be used, as a clause, or ""; `expected` is "" for any hash."""
    try:
        if strange := _find_strange(file, folder):
            return strange
        with file.open("rb") as f:
            start = f.read(len(LFS_POINTER))
        if start == LFS_POINTER:
            return _POINTER
        return "" if not expected or _fits(file, expected) else _CHANGED
    except (FileNotFoundError, NotADirectoryError):
        return _MISSING
    except PermissionError:
        return _FORBIDDEN
    except IsADirectoryError:
        return _MISSING


def _find_strange(file: Path, folder: Path) -> str | None:
    return find_given_fault(file, folder, _MOST_BYTES.get(file.suffix, _MOST_ELSE))


def _fits(file: Path, expected: str) -> bool:
    """Return whether a file has a hash; the line ends of a text, which git may change, do not count."""
    if hash_file(file) == expected:
        return True
    return file.suffix in _TEXT_FILES and hash_bytes(file.read_bytes().replace(b"\r\n", b"\n")) == expected


def write_photos(folder: Path, rows: list[PhotoRow]) -> None:
    """Write `photos.csv`, sorted by hash so that equal sets give equal files."""
    write_atomic(folder / "photos.csv", csv_bytes(_PHOTO_COLUMNS, map(astuple, sorted(rows))))


def check_exportable(model: str | Path) -> ModelBundle:
    """Open a model that an ``export.pkl`` is to be made of, which is written into its folder.

    Raises
    ------
    ExportError
        If it was imported, has no photos to compare on, or cannot be written.
    """
    bundle = ModelBundle.load(model)
    if bundle.manifest.training.mode == IMPORTED:
        raise ExportError(
            "The model {path} was imported, so it came of an export.pkl. Use that one.", path=bundle.path
        )
    if not bundle.example_files:
        raise ExportError(
            "The model {path} has no example photos to compare the Learner on. Train again.", path=bundle.path
        )
    if reason := find_write_error(bundle.path):
        raise ExportError(
            "The Learner is written into the model, and {path} cannot be written ({reason}). Copy it to "
            "another place.",
            path=bundle.path,
            reason=reason,
        )
    return bundle


def check_target(target: Path) -> None:
    """Refuse to write where a file is, or a folder that holds something and no `bundle.json`."""
    if target.exists() and not target.is_dir():
        raise UsageError("{target} is a file. Name a folder for the model with --out.", target=target)
    foreign = _find_foreign_file(target) if target.is_dir() else None
    if foreign is not None:
        raise UsageError(
            "{target} holds other things than a model ({foreign}). Name another folder with --out.",
            target=target,
            foreign=foreign,
        )
    if reason := find_write_error(target, _LEAST_ROOM):
        raise UsageError(
            "The model cannot be written to {target} ({reason}). Name another folder with --out.",
            target=target,
            reason=reason,
        )


def _find_foreign_file(folder: Path) -> str | None:
    """Return the name of a file that no bundle of ours wrote there, None where `folder` may be replaced."""
    try:
        manifest = json.loads(read_manifest(folder))
        ours = {MANIFEST, *manifest["files"]} if manifest["schema"] >= 1 else set()
    except (BundleError, OSError, ValueError, TypeError, KeyError):
        ours = set()
    # a kill in the middle of `write_atomic` leaves its temporary file
    left_over = tuple(f".{name}." for name in ours if "/" not in name)
    names = _list_files(folder)
    return next((name for name in names if name not in ours and not name.startswith(left_over)), None)


def _list_files(folder: Path) -> Iterator[str]:
    """Yield the files in a folder by their paths; not what a system or a killed writer left there."""
    for path in sorted(folder.iterdir()):
        if is_stray(path.name) or is_left_over(path.name):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from (f"{path.name}/{name}" for name in _list_files(path))
        else:
            yield path.name
