"""Kills at random moments, of processes that were forked when all was imported.

python -m tests.accidents.kills 1000 --seed 1     # prints a table: kills, what was told, losses
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import random
import select
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .deeds import DEEDS, Deed, train

# Of a hundred kills so many hit a deed.
SHARES = {
    "scan": 12, "rescan": 5, "apply": 23, "collect": 12, "materialize": 12, "refit": 5, "swap": 13, "import": 6, "train": 4, "export": 4,
    "export's swap": 4,
}  # fmt: skip
_ANEW = 10  # kills after which a deed begins in a new folder
_PATIENCE = 120.0  # seconds until the first word


@dataclass
class Toll:
    """What a deed's kills came to."""

    kills: int = 0
    told: int = 0
    ended: int = 0
    losses: list[str] = field(default_factory=list)


def kill_one(deed: Deed, root: Path, wait: float) -> tuple[bool, list[str]]:
    """Do a deed in a child, kill it a while after its word; returns whether it was alive, and what it said."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _be_child(deed, root, reading, writing)
    with contextlib.suppress(OSError):  # the child does the same, whoever is first
        os.setpgid(child, child)
    os.close(writing)
    said = _read_until(reading, deed.word.encode())
    time.sleep(wait)
    alive = os.waitpid(child, os.WNOHANG)[0] == 0
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if alive:
        os.waitpid(child, 0)
    while more := os.read(reading, 65536):
        said += more
    os.close(reading)
    # a line without its end was not whole when the process died
    return alive, said.decode().split("\n")[:-1]


def _be_child(deed: Deed, root: Path, reading: int, writing: int) -> None:
    os.setpgid(0, 0)
    os.close(reading)
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    try:
        deed.do(root, lambda text: os.write(writing, f"{text}\n".encode()) and None)
    except BaseException as e:  # noqa: BLE001 - the parent is told of whatever it is
        os.write(writing, f"FAILED {type(e).__name__}: {e}\n".encode())
    os._exit(0)


def _read_until(reading: int, word: bytes) -> bytes:
    said, until = b"", time.monotonic() + _PATIENCE
    while word not in said and time.monotonic() < until:
        if select.select([reading], [], [], 0.5)[0]:
            more = os.read(reading, 65536)
            if not more:
                break
            said += more
    return said


def kill_many(name: str, n: int, place: Path, rng: random.Random, say: Callable[[str], None]) -> Toll:
    """Kill a deed so many times and look each time at what it left."""
    deed, toll = DEEDS[name], Toll()
    root = place / name
    tried = 0
    while toll.kills < n and tried < 3 * n:
        if tried % _ANEW == 0:
            shutil.rmtree(root, ignore_errors=True)
            root.mkdir(parents=True)
            _in_child(deed.before, root)
        tried += 1
        wait = rng.uniform(0, deed.seconds)
        alive, told = kill_one(deed, root, wait)
        toll.kills += alive
        toll.ended += not alive
        toll.told += len(told)
        faults = [line for line in told if line.startswith("FAILED")]
        if fault := faults[0] if faults else _in_child(deed.find, root, told):
            toll.losses.append(fault)
            say(f"{name}: after {wait:.3f} s: {fault}; told {told[-3:]}")
            shutil.copytree(root, place / f"lost-{name}-{len(toll.losses)}", dirs_exist_ok=True)
    return toll


def _in_child(do: Callable[..., None], *args: object) -> str:
    """Do something where it starts no threads that later forks would miss; returns what went wrong."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            do(*args)
        except BaseException as e:  # noqa: BLE001 - told by the parent
            import traceback

            where = traceback.extract_tb(e.__traceback__)[-1]
            os.write(writing, f"{type(e).__name__}: {str(e)[:300]} ({where.name}:{where.lineno})".encode())
        os._exit(0)
    os.close(writing)
    said = b""
    while more := os.read(reading, 65536):
        said += more
    os.close(reading)
    os.waitpid(child, 0)
    return said.decode()


def warm_up(names: set[str]) -> None:
    """Import what the deeds use, so that no kill hits an import; nothing is computed."""
    for module in (
        "fastclf.catalog.catalog",
        "fastclf.collect.run",
        "fastclf.head.refit",
        "fastclf.received.taught_model",
        "onnxruntime",
        "onnx",
        "PIL.Image",
    ):
        importlib.import_module(module)
    if any(DEEDS[name].do is train for name in names):
        for module in (
            "torch",
            "timm",
            "fastai.vision.all",
            "fastclf.training.run",
            "fastclf.training.tuning",
            "onnxscript",
            "torch.onnx",
            "scipy.optimize",
        ):
            importlib.import_module(module)
        sys.modules["torch"].set_num_threads(1)


def run(n: int, seed: int, place: Path, names: set[str], say: Callable[[str], None]) -> dict[str, Toll]:
    """Share the kills among deeds; returns each deed's toll."""
    warm_up(names)
    total = sum(SHARES[name] for name in names)
    tolls = {}
    for name in (name for name in SHARES if name in names):
        count = max(1, round(n * SHARES[name] / total))
        tolls[name] = kill_many(name, count, place, random.Random(f"{seed} {name}"), say)
        t = tolls[name]
        say(
            f"{name:12} {t.kills:5} kills {t.told:6} words told {t.ended:4} ended before {len(t.losses):3} losses"
        )
    return tolls


def main() -> None:
    """Kill, and print the table; losses keep their folders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("n", type=int, nargs="?", default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=list(SHARES), choices=list(SHARES))
    given = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="fastclf-kills-"))
    tolls = run(given.n, given.seed, place, set(given.only), lambda text: print(text, flush=True))  # noqa: T201
    lost = sum(len(toll.losses) for toll in tolls.values())
    print(f"{sum(toll.kills for toll in tolls.values())} kills, {lost} losses; {place}")  # noqa: T201
    sys.exit(bool(lost))


if __name__ == "__main__":
    main()
