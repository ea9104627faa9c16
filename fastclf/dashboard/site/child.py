"""The child process that makes a page without a server: onnx and its memory go with it."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

from ...model import ModelBundle
from .build import build_site


def main(model: str, out: str, told: str) -> None:
    """Write the model's page to `out`: one HTML file, or where it ends with .zip, its folder.

    Which step is under way stands in the file `told`.
    """
    tell = Path(told).write_text
    tell("open")
    bundle, file = ModelBundle.load(model), Path(out)
    if file.suffix != ".zip":
        build_site(bundle, file, single_file=True, tell=tell)
        return
    with tempfile.TemporaryDirectory(dir=file.parent) as scratch:
        site = build_site(bundle, Path(scratch, file.stem), tell=tell)
        _pack(site.path, file)


def _pack(folder: Path, file: Path) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder.parent))
