"""Kernels that are forks of one warmed process: what they share, what is their own, and what becomes of them."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import psutil
import pytest
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import KernelProvisionerFactory

from fastclf.server import fork_support
from fastclf.server.fork_support import PROVISIONER, can_fork
from fastclf.server.forking import KernelRequest
from fastclf.server.forks import ForkedProcess, ForkProvisioner, Nursery, build_request
from fastclf.server.quick_client import QuickClient

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="kernels are forks on Linux alone")

LAUNCH = [sys.executable, "-m", "ipykernel_launcher", "-f", "kernel.json"]
VISITOR = {"VOILA_PREHEAT": "False"}
CLIENT = "fastclf.server.quick_client.QuickClient"
BUILD = "from fastclf.dashboard import build_app\npage = build_app()"
# what could tell one session's from another's
TELL = """import json, os, random, sys, tempfile, uuid
import numpy
from IPython import get_ipython
session = get_ipython().kernel.session
files = [os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{n}")]
print(json.dumps({
    "random": random.random(), "numpy": float(numpy.random.random()), "uuid": str(uuid.uuid4()),
    "session": session.session, "key": session.key.decode(), "temporary": next(tempfile._get_candidate_names()),
    "mine": os.environ.get("MINE"), "pid": os.getpid(), "group": os.getpgid(0), "sockets": files,
}))"""


class Kernel:
    """A kernel that Jupyter has started, and the line to it."""

    def __init__(self, manager: AsyncKernelManager, client: QuickClient) -> None:
        self.manager, self.client = manager, client
        self.pid = int(manager.provisioner.pid)

    @property
    def is_fork(self) -> bool:
        return isinstance(self.manager.provisioner.process, ForkedProcess)

    async def run(self, code: str) -> str:
        said: list[str] = []

        def hear(message: dict[str, Any]) -> None:
            content = message["content"]
            said.extend(filter(None, [content.get("text"), "\n".join(content.get("traceback", []))]))

        reply = await self.client.execute_interactive(code, output_hook=hear, timeout=60)
        assert reply["content"]["status"] == "ok", said
        return "".join(said)


Start = Callable[..., Awaitable[Kernel]]


@asynccontextmanager
async def starting(folder: Path) -> AsyncIterator[Start]:
    kernels: list[Kernel] = []

    async def start(**env: str) -> Kernel:
        file = folder / f"kernel-{len(kernels)}.json"
        manager = AsyncKernelManager(
            transport="ipc", connection_file=str(file), kernel_name="python3", client_class=CLIENT
        )
        await manager.start_kernel(env={**os.environ, **VISITOR, **env})
        client = manager.client()
        client.start_channels()
        await client.wait_for_ready(timeout=60)
        kernels.append(Kernel(manager, client))
        return kernels[-1]

    try:
        yield start
    finally:
        for kernel in kernels:
            kernel.client.stop_channels()
            await kernel.manager.shutdown_kernel(now=True)


@pytest.fixture
def nursery(toy_model: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What forks kernels of the toy model; this process is its server."""
    factory = KernelProvisionerFactory.instance()
    entry = EntryPoint(
        PROVISIONER, "fastclf.server.forks:ForkProvisioner", "jupyter_client.kernel_provisioners"
    )
    monkeypatch.setitem(factory.provisioners, PROVISIONER, entry)
    monkeypatch.setattr(factory, "default_provisioner_name", PROVISIONER)
    monkeypatch.setenv("FASTCLF_MODEL", str(toy_model))
    monkeypatch.delenv("FASTCLF_OWNER", raising=False)
    made = Nursery(toy_model)
    monkeypatch.setattr(ForkProvisioner, "nursery", made)
    yield made
    made.close()


@pytest.fixture
def short(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A folder whose path leaves room for the names of sockets."""
    folder = Path("/tmp", f"forks-{os.getpid()}-{time.monotonic_ns()}")
    folder.mkdir(mode=0o700)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run it where no loop is: a browser test before this one leaves its own in the main thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def measure(pid: int) -> float:
    return psutil.Process(pid).memory_full_info().uss / 1e6


@pytest.mark.slow
def test_a_fork_takes_less_than_half_of_the_memory_of_a_kernel_that_is_started(
    nursery: Nursery, short: Path
) -> None:
    async def compare() -> None:
        async with starting(short) as start:
            forks = [await start(), await start()]
            started = await start(FASTCLF_OWNER="1")
            assert [kernel.is_fork for kernel in (*forks, started)] == [True, True, False]
            for kernel in (*forks, started):
                await kernel.run(BUILD)
                await kernel.run(
                    "from fastclf.model import draw_picture; from fastclf.photos import encode_jpeg"
                )
                await kernel.run("assert page.model.add('a.jpg', encode_jpeg(draw_picture()), 1)")
            # an owner's page has a tab more, which a visitor's does not have
            assert measure(forks[0].pid) < measure(started.pid) / 2

    run(compare())


@pytest.mark.slow
def test_a_fork_has_its_own_numbers_key_and_environment_and_no_line_to_where_it_came_from(
    nursery: Nursery, short: Path
) -> None:
    async def tell() -> list[dict[str, Any]]:
        async with starting(short) as start:
            kernels = [await start(MINE=name) for name in ("one", "two")]
            found = [json.loads(await kernel.run(TELL)) for kernel in kernels]
            assert [one["pid"] for one in found] == [kernel.pid for kernel in kernels]
            names = [" ".join(psutil.Process(kernel.pid).cmdline()) for kernel in kernels]
            assert all(
                f"ipykernel_launcher -f {short}/kernel-{n}.json" in name for n, name in enumerate(names)
            )
            return found

    one, two = run(tell())
    assert {name for name in one if one[name] == two[name]} == set()
    assert (one["mine"], two["mine"], one["group"]) == ("one", "two", one["pid"])
    assert nursery.zygote is not None
    files = Path(f"/proc/{nursery.zygote.process.pid}/fd").iterdir()
    line = {str(file.readlink()) for file in files}
    shared = {name for name in line if name.startswith("socket:")}
    assert len(shared) == 1
    assert psutil.Process(nursery.zygote.process.pid).num_threads() == 1
    assert not shared & {*one["sockets"], *two["sockets"]}


@pytest.mark.slow
def test_kernels_outlive_a_zygote_that_is_killed_and_the_next_is_forked_by_another(
    nursery: Nursery, short: Path
) -> None:
    async def go_on() -> None:
        async with starting(short) as start:
            before = await start()
            assert nursery.zygote is not None
            killed = nursery.zygote.process.pid
            os.kill(killed, signal.SIGKILL)
            after = await start()
            assert after.is_fork
            assert nursery.zygote.process.pid != killed
            assert [await kernel.run("print(6 * 7)") for kernel in (before, after)] == ["42\n", "42\n"]

    run(go_on())


@pytest.mark.slow
def test_a_model_that_is_replaced_is_answered_with_at_once_and_soon_there_is_a_zygote_of_it(
    nursery: Nursery, short: Path, toy_model: Path
) -> None:
    async def replace() -> None:
        async with starting(short) as start:
            first = await start()
            await first.run(BUILD)
            old = nursery.zygote
            manifest = json.loads((toy_model / "bundle.json").read_text())
            (toy_model / "bundle.json").write_text(json.dumps({**manifest, "title": "Another"}))
            second = await start()
            await second.run(BUILD)
            title = "print(page.model._open_predictor().bundle.manifest.title)"
            assert await second.run(title) == "Another\n"
            # the page of before looks again when it is asked
            assert await first.run(title) == "Another\n"
            for _ in range(100):
                if nursery.zygote is not old:
                    break
                await asyncio.sleep(0.2)
                third = await start()
                assert third.is_fork
            assert nursery.zygote is not None
            assert nursery.zygote.stamp == (toy_model / "bundle.json").read_bytes()

    run(replace())


@pytest.mark.slow
def test_kernels_and_zygote_end_with_their_server_however_it_ends(toy_model: Path) -> None:
    code = """import os, signal, sys
from pathlib import Path
from fastclf.server.forking import KernelRequest
from fastclf.server.forks import Nursery
nursery = Nursery(Path(sys.argv[1]))
process = nursery._fork(KernelRequest(["-f", sys.argv[2]], dict(os.environ)))
print(process.pid, nursery.zygote.process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)"""
    file = toy_model.parent / "kernel.json"
    done = subprocess.run(
        [sys.executable, "-c", code, str(toy_model), str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    left = [int(pid) for pid in done.stdout.split()]
    assert len(left) == 2
    deadline = time.monotonic() + 15
    while any(map(is_running, left)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_running, left))


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("n", [8, pytest.param(100, marks=pytest.mark.thorough)])
def test_openings_leave_no_process_and_no_descriptor(nursery: Nursery, short: Path, n: int) -> None:
    async def come_and_go() -> tuple[list[int], int]:
        pids, open_before = [], 0
        for number in range(n):
            async with starting(short) as start:
                kernel = await start()
                assert kernel.is_fork
                pids.append(kernel.pid)
            del kernel
            if number == 1:
                open_before = psutil.Process().num_fds()
        return pids, psutil.Process().num_fds() - open_before

    pids, more = run(come_and_go())
    assert len(set(pids)) == n
    assert not any(map(is_running, pids))
    assert nursery.zygote is not None
    assert psutil.Process(nursery.zygote.process.pid).children() == []
    assert more <= 2


@pytest.mark.slow
def test_where_no_zygote_comes_to_be_kernels_are_started(
    nursery: Nursery, short: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("fastclf.server.forks._MODULE", "fastclf.dashboard.nothing")

    async def start_one() -> str:
        async with starting(short) as start:
            kernel = await start()
            assert not kernel.is_fork
            return await kernel.run("print(6 * 7)")

    assert run(start_one()) == "42\n"
    assert "No kernel could be forked" in caplog.text
    nursery._failures = 3
    assert nursery._fork(KernelRequest([], {})) is None


@pytest.mark.slow
def test_the_rehearsal_leaves_neither_widget_nor_thread_nor_file(toy_model: Path, tmp_path: Path) -> None:
    code = """import gc, os, sys, threading
from pathlib import Path
before = set(os.listdir("/proc/self/fd"))
from fastclf.dashboard import zygote
from fastclf.model import model_source
zygote.prepare(Path(sys.argv[1]))
from ipywidgets.widgets import widget
assert not widget._instances, widget._instances
assert threading.enumerate() == [threading.main_thread()]
assert len(os.listdir("/proc/self/fd")) <= len(before), os.listdir("/proc/self/fd")
assert gc.get_freeze_count() > 10_000
assert "debugpy" not in [name for name, module in sys.modules.items() if module]
print((model_source._kept or [None])[0])"""
    for model, kept in ((toy_model, str(toy_model)), (tmp_path / "none", "None")):
        command = [sys.executable, "-c", code, str(model)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout.strip()) == (0, kept), done.stderr


def test_only_visitors_kernels_are_forks() -> None:
    env = {"VOILA_PREHEAT": "True", "A": "b"}
    assert build_request(LAUNCH, {"env": env, "cwd": None}) == KernelRequest(["-f", "kernel.json"], env)
    assert build_request(LAUNCH, {"env": env, "cwd": Path("x")}) == KernelRequest(LAUNCH[3:], env, "x")
    others = [
        (LAUNCH, {"env": {"A": "b"}}),
        (LAUNCH, {"env": {**env, "FASTCLF_OWNER": "1"}}),
        (LAUNCH, {"env": env, "preexec_fn": print}),
        (["/other/python", *LAUNCH[1:]], {"env": env}),
        ([sys.executable, "-m", "xeus"], {"env": env}),
    ]
    assert [build_request(*other) for other in others] == [None] * len(others)


@pytest.mark.parametrize("reason", ["setting", "system", "metadata", "kernel"])
def test_kernels_are_started_where_they_cannot_be_forked(
    reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Entry:
        name = PROVISIONER

    monkeypatch.delenv("FASTCLF_FORKS", raising=False)
    monkeypatch.setattr(fork_support, "entry_points", lambda group: [Entry])
    assert can_fork()
    if reason == "setting":
        monkeypatch.setenv("FASTCLF_FORKS", "0")
    elif reason == "system":
        monkeypatch.delattr(os, "pidfd_open")
    elif reason == "metadata":
        monkeypatch.setattr(fork_support, "entry_points", lambda group: [])
    else:

        def refuse(pid: int) -> int:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "pidfd_open", refuse)
    assert not can_fork()


def test_a_process_that_is_no_child_is_waited_for_and_ended_by_its_descriptor() -> None:
    child = subprocess.Popen(["sleep", "60"])
    process = ForkedProcess(child.pid, os.pidfd_open(child.pid))
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    process.terminate()
    assert process.wait(10) == 0
    assert process.poll() == 0
    assert child.wait(10) == -signal.SIGTERM
    process.kill()  # nobody: the number may be another's by now
