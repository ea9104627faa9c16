"""What a process may take while a stranger's network is run, and that nothing of the limit stays."""

from __future__ import annotations

import os
import subprocess
import sys
from threading import Barrier, Thread

import numpy as np
import pytest

from fastclf.system import limited_memory
from fastclf.system.memory_limit import free_child

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="other systems do not count what a process writes to"
)

if sys.platform == "linux":
    import resource

MB = 2**20


def read_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_DATA)[0]


def test_what_goes_beyond_is_refused_and_the_limit_ends_with_the_work() -> None:
    before = read_limit()
    with limited_memory(256 * MB):
        assert np.empty(128 * MB, np.uint8).size
        with pytest.raises(MemoryError):
            np.empty(512 * MB, np.uint8)
    assert read_limit() == before
    assert np.empty(512 * MB, np.uint8).size


def test_limits_of_several_threads_add_up_and_the_last_one_ends_them() -> None:
    before, both, one_left = read_limit(), Barrier(2), Barrier(2)
    found: list[int] = []

    def run() -> None:
        with limited_memory(100 * MB):
            both.wait(10)
            one_left.wait(10)

    thread = Thread(target=run)
    thread.start()
    with limited_memory(400 * MB):
        both.wait(10)
        found.append(np.empty(300 * MB, np.uint8).size)
    assert read_limit() != before
    one_left.wait(10)
    thread.join(10)
    assert found == [300 * MB]
    assert read_limit() == before


def test_a_limit_that_stood_before_is_not_lifted() -> None:
    code = (
        "import resource; from fastclf.system import limited_memory\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**33))\n"
        "with limited_memory(2**32): print(*resource.getrlimit(resource.RLIMIT_DATA))\n"
        "print(*resource.getrlimit(resource.RLIMIT_DATA))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == [str(2**30), str(2**33)] * 2


def test_children_of_that_time_have_the_limit_of_before() -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with limited_memory(256 * MB):
        with subprocess.Popen(["sleep", "5"]) as child:
            free_child(child.pid)
            assert resource.prlimit(child.pid, resource.RLIMIT_DATA) == before
            child.kill()
        pid = os.fork()
        if not pid:
            os._exit(resource.getrlimit(resource.RLIMIT_DATA) != before)
        assert os.waitpid(pid, 0)[1] == 0
