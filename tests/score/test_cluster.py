"""Processes die while they score: every photo still has exactly one row, and the shards the same bytes."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest
from distributed import Client, LocalCluster

from fastclf.errors import ScoreError
from fastclf.score import score_photos

from ..conftest import run_fastclf
from ..drawing import draw_photos

pytestmark = pytest.mark.slow


def read_shards(out: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in out.glob("part-*.parquet")}


def count_rows(out: Path) -> list[str]:
    return [path for file in sorted(out.glob("part-*")) for path in pq.read_table(file)["path"].to_pylist()]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Ninety photos and an empty one."""
    folder = draw_photos(tmp_path / "photos", per_class=30)
    (folder / "green" / "empty.jpg").write_bytes(b"")
    return folder


@pytest.fixture
def alone(photos: Path, toy_model: Path, tmp_path: Path) -> dict[str, bytes]:
    """The shards that one process writes."""
    score_photos(toy_model, photos, tmp_path / "alone", shard_size=3)
    return read_shards(tmp_path / "alone")


@contextlib.contextmanager
def start_cluster() -> Iterator[LocalCluster]:
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        yield cluster


@pytest.mark.parametrize("by_path", [False, pytest.param(True, marks=pytest.mark.thorough)])
def test_a_cluster_whose_worker_is_killed_gives_every_photo_one_row(
    by_path: bool, alone: dict[str, bytes], photos: Path, toy_model: Path, tmp_path: Path
) -> None:
    out, killed = tmp_path / "out", list[int]()
    with start_cluster() as cluster, Client(cluster.scheduler_address, set_as_default=False) as client:
        before = set(client.run(os.getpid).values())

        def kill_one(done: int, total: int) -> None:
            if not killed:
                killed.append(min(before))
                os.kill(killed[0], signal.SIGKILL)

        options = {"shard_size": 3, "dask": cluster.scheduler_address, "by_path": by_path}
        first = score_photos(toy_model, photos, out, progress=kill_one, **options)
        assert not psutil.pid_exists(killed[0]) or psutil.Process(killed[0]).status() == "zombie"
        assert (first.shards, first.counts.photos, first.scored) == (31, 91, 91)
        assert sum(first.counts.errors.values()) == 1
        names = count_rows(out)
        assert len(names) == len(set(names)) == 91
        assert read_shards(out) == alone
        # the run is started again, after some of it was lost
        sorted(out.glob("part-*"))[4].unlink()
        assert score_photos(toy_model, photos, out, **options).scored == 3
        assert read_shards(out) == alone


def test_a_cluster_that_cannot_do_it_is_told(photos: Path, toy_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ScoreError, match="No Dask scheduler answers"):
        score_photos(toy_model, photos, tmp_path / "out", dask="nonsense://x")


def test_a_process_of_the_pool_that_is_killed_is_replaced(
    alone: dict[str, bytes], photos: Path, toy_model: Path, tmp_path: Path
) -> None:
    killed = list[int]()

    def kill_one(done: int, total: int) -> None:
        if not killed:
            child = multiprocessing.active_children()[0]
            killed.append(child.pid or 0)
            child.kill()

    done = score_photos(toy_model, photos, tmp_path / "out", shard_size=3, processes=2, progress=kill_one)
    assert killed
    assert done.counts.photos == 91
    assert read_shards(tmp_path / "out") == alone
    assert multiprocessing.active_children() == []


def test_a_run_that_is_killed_goes_on_and_leaves_no_process(
    alone: dict[str, bytes], photos: Path, toy_model: Path, tmp_path: Path
) -> None:
    out, words = (
        tmp_path / "out",
        ("score", toy_model, photos, "out", "--shard-size", "3", "--processes", "2"),
    )
    run = subprocess.Popen([sys.executable, "-m", "fastclf", *map(str, words)], cwd=tmp_path)
    children: list[psutil.Process] = []
    while run.poll() is None and len(list(out.glob("part-*"))) < 2:
        time.sleep(0.005)
    children = psutil.Process(run.pid).children(recursive=True)
    run.kill()
    run.wait()
    there = read_shards(out)
    assert len(there) >= 2
    assert there.items() <= alone.items()
    _, left = psutil.wait_procs(children, timeout=20)
    assert left == []
    done = run_fastclf(*words, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert read_shards(out) == alone
