"""`bundle.json`: what a model says of itself, read, checked and written."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import BundleError
from ..system import hash_file, write_atomic
from .detectors import KINDS
from .preprocess import Preprocess

SCHEMA = 1
MANIFEST = "bundle.json"
# The mode of training of a model that came as a fastai Learner: its training photos are not known.
IMPORTED = "imported"
# The weights of the body, for training a model further; no answer needs it.
BODY = "body.safetensors"
_REQUIRED_KEYS = (
    "schema", "fastclf", "python", "created", "arch", "vocab", "features_id", "preprocess",
    "temperature", "metrics", "sealed_test", "training", "files",
)  # fmt: skip
_REQUIRED_FILES = ("model.onnx", "head.npz", "photos.csv")


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write `bundle.json` in one step."""
    write_atomic(folder / MANIFEST, (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode())


def hash_files(folder: Path) -> dict[str, str]:
    """Return {name: sha256} of every file of a bundle folder but the manifest."""
    return {name: hash_file(folder / name) for name in sorted(_files_of(folder))}


def check_manifest(path: Path, manifest: dict[str, Any]) -> None:
    """Check the keys and types of a manifest.

    Parameters
    ----------
    path
        The bundle's folder, for the message.
    manifest
        What `read_manifest` returned.

    Raises
    ------
    BundleError
        If a key is missing or its value is not usable; the message says which.
    """
    missing = [key for key in _REQUIRED_KEYS if key not in manifest]
    if missing:
        raise BundleError(
            "The model {path} is incomplete: {file} lacks {missing}.",
            path=path,
            file=MANIFEST,
            missing=", ".join(missing),
        )
    vocab, files = manifest["vocab"], manifest["files"]
    if not (isinstance(vocab, list) and len(vocab) >= 2 and all(isinstance(v, str) for v in vocab)):
        raise BundleError(
            "The model {path} names fewer than two classes in {file}.", path=path, file=MANIFEST
        )
    "".join(vocab).encode()  # a lone surrogate is no text
    if not isinstance(files, dict) or not all(_is_inside(name) for name in files):
        raise BundleError("The model {path} lists files outside of its folder; do not use it.", path=path)
    for name in _REQUIRED_FILES:
        if name not in files:
            raise BundleError(
                "The model {path} is incomplete: {file} lists no {name}.", path=path, file=MANIFEST, name=name
            )
    temperature = manifest["temperature"]
    if not isinstance(temperature, int | float) or not 1e-3 <= temperature <= 1e3:
        raise BundleError(
            "The model {path} has the temperature {temperature!r}; it must be 0.001 to 1000.",
            path=path,
            temperature=temperature,
        )
    sealed = manifest["sealed_test"]
    if not isinstance(sealed["openings"], list) or not isinstance(manifest["metrics"], dict):
        raise BundleError(
            "The model {path} has no usable metrics or sealed_test in {file}.", path=path, file=MANIFEST
        )
    ood = manifest.get("ood")
    if ood and ood.get("kind") not in KINDS:
        raise BundleError(
            "The model {path} tells unfamiliar photos by {kind!r}, which this fastclf "
            "does not know (it knows {kinds}). Update fastclf.",
            path=path,
            kind=ood.get("kind"),
            kinds=", ".join(KINDS),
        )
    Preprocess.from_dict(manifest["preprocess"])


def python_version() -> str:
    """Return this interpreter's version, "3.11" for example."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


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


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read `bundle.json`.

    Raises
    ------
    BundleError
        If it is missing, damaged or of another schema.
    """
    file = folder / MANIFEST
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise BundleError(
            "There is no model in {folder}. Train one with `fastclf train DIR --out {folder}`, "
            "or name another folder.",
            folder=folder,
        ) from None
    except (OSError, ValueError) as e:
        raise BundleError("{file} cannot be read ({reason}).", file=file, reason=e) from None
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        found = manifest.get("schema") if isinstance(manifest, dict) else None
        raise BundleError(
            "The model {folder} has schema {found!r}; this fastclf reads schema {schema}. "
            "Use the fastclf that wrote it, or train again.",
            folder=folder,
            found=found,
            schema=SCHEMA,
        )
    return manifest
