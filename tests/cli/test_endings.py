"""Whatever stops a command is one sentence and a code: no traceback reaches a person."""

from __future__ import annotations

import errno
import io
import logging
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from fastclf.cli import console, endings
from fastclf.cli.endings import run_to_end
from fastclf.errors import PhotosError, UsageError
from fastclf.system import is_out_of_memory

NO_MEMORY = [
    MemoryError(),
    np._core._exceptions._ArrayMemoryError((9**9,), np.dtype(float)),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
    RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
    RuntimeError("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : std::bad_alloc"),
    RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
]


def end(error: BaseException, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    def fail() -> None:
        raise error

    code = run_to_end(fail)
    told = capsys.readouterr()
    assert told.out == ""
    return code, told.err


@pytest.mark.parametrize("error", NO_MEMORY, ids=lambda e: str(e)[:30])
def test_no_memory_has_a_sentence_with_the_way_on(
    error: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    assert is_out_of_memory(error)
    code, told = end(error, capsys)
    assert code == 1
    assert told.startswith("fastclf: There is not enough memory")
    assert "--batch-size" in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    "error", [ValueError("out of memory.jpg is no photo"), RuntimeError("no"), KeyError()]
)
def test_another_error_is_not_taken_for_it(error: Exception) -> None:
    assert not is_out_of_memory(error)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (UsageError("No such {x}.", x="thing"), 2, "fastclf: No such thing.\n"),
        (PhotosError("No photos."), 1, "fastclf: No photos.\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "a/b"),
            1,
            "fastclf: No space left on device (a/b). Make room, then run the same command again.\n",
        ),
        (KeyboardInterrupt(), 130, "fastclf: Stopped.\n"),
        (KeyboardInterrupt("Stopped after epoch 2 of 3."), 130, "fastclf: Stopped after epoch 2 of 3.\n"),
        (SystemExit(3), 3, ""),
        (BrokenPipeError(), 1, ""),
    ],
)
def test_an_end_that_was_thought_of(
    error: BaseException,
    code: int,
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(endings, "_drop_stdout", lambda: None)
    assert end(error, capsys) == (code, words)


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError("division by zero"),
        KeyError("x"),
        RecursionError(),
        AssertionError(),
        RuntimeError("a\nb"),
    ],
)
def test_an_end_that_nobody_thought_of_is_a_sentence_and_a_file(
    error: Exception, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endings, "find_user_cache", lambda: tmp_path)
    monkeypatch.delenv("FASTCLF_DEBUG", raising=False)
    code, told = end(error, capsys)
    assert code == 1
    assert "Traceback" not in told
    assert told.count("\n") == 1
    [file] = tmp_path.iterdir()
    assert str(file) in told
    assert "Traceback" in file.read_text()
    monkeypatch.setenv("FASTCLF_DEBUG", "1")
    assert "Traceback" in end(error, capsys)[1]


def test_where_nothing_can_be_written_the_sentence_says_how_to_see_more(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endings.tempfile, "mkstemp", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    assert "FASTCLF_DEBUG=1 shows" in end(ZeroDivisionError(), capsys)[1]


def test_what_a_library_makes_of_an_interrupt_is_an_interrupt(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        except KeyboardInterrupt:
            raise RuntimeError("the loader died") from None

    before = signal.signal(signal.SIGTERM, signal.SIG_DFL), sys.unraisablehook
    try:
        assert run_to_end(work) == 130
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before[0])
        sys.unraisablehook = before[1]
    assert capsys.readouterr().err == "fastclf: Stopped.\n"


_SLOW_TO_STOP = """
import os, signal, sys, time
from fastclf.cli.endings import run_to_end
signal.signal(signal.SIGINT, signal.default_int_handler)
def work():
    try:
        print("start", flush=True)
        time.sleep(60)
    finally:
        print("first", flush=True)
        time.sleep(60)
sys.exit(run_to_end(work))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_second_ctrl_c_ends_at_once(number: signal.Signals) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", _SLOW_TO_STOP], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout
    for word in ("start\n", "first\n"):
        assert child.stdout.readline() == word
        child.send_signal(number)
    _, told = child.communicate(timeout=20)
    assert child.returncode == 130
    assert "Traceback" not in told


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_on_a_terminal_stands_on_one_line_that_the_next_sentence_does_not_touch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stderr", _Terminal())
    monkeypatch.setattr(console, "_OFTEN", 0.0)
    show = console.show_progress("reading photos")
    show(1, 100)
    show(2, 100)
    console.say("Stopped.")
    assert sys.stderr.getvalue() == "\rreading photos: 1/100\rreading photos: 2/100\nStopped.\n"  # type: ignore[attr-defined]


@pytest.mark.parametrize(("minutes", "lines"), [(0.5, 0), (1.5, 2), (5.2, 5)])
def test_progress_in_a_file_is_a_line_a_minute_and_one_at_the_end(
    minutes: float, lines: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [1000.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    show = console.show_progress("reading photos")
    for done in range(1, 101):
        now[0] += 60 * minutes / 100
        show(done, 100)
    told = capsys.readouterr().err
    assert told.count("\n") == lines
    assert "\r" not in told
    assert told.endswith("reading photos: 100/100\n") == (lines > 0)


def test_libraries_warn_nobody_and_fastclf_tells_what_it_logs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FASTCLF_DEBUG", raising=False)
    monkeypatch.setattr(sys, "warnoptions", [])
    root = logging.getLogger()
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        before = list(root.handlers)
        root.handlers = []
        try:
            console.quiet_libraries()
            for kind in (UserWarning, FutureWarning, DeprecationWarning, RuntimeWarning):
                warnings.warn("site-packages/PIL/Image.py:1: odd", kind, stacklevel=1)
            logging.getLogger("huggingface_hub").warning("a hint")
            logging.getLogger("fastclf.training").warning("The card of %s is old.", "model")
        finally:
            root.handlers = before
    assert capsys.readouterr().err == "The card of model is old.\n"
