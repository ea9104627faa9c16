"""A page of the documents, done by itself: each command and each line of Python, from the top to the end, in one folder."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import hatch_build

from .before import find_preparation
from .blocks import BEFORE, FILE, NOT_RUN, UNTIL, Block, Command, read_blocks, read_commands, write_commands
from .comparing import match_lines, merge_lines

PORT = "8866"  # what the pages write; each run has a free one in its place
SECONDS = 300  # what one command may take
_PRINTED = "#> "
_ENDING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Difference:
    """A block that printed something else."""

    block: Block
    text: str  # as it would have to be

    def __str__(self) -> str:
        return f"line {self.block.line + 1} documents\n{self.block.text}\nand this is printed:\n{self.text}"


@dataclass
class Play:
    """One run of one page."""

    folder: Path
    port: str = field(default_factory=lambda: str(find_free_port()))
    differences: list[Difference] = field(default_factory=list)
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    session: subprocess.Popen[str] | None = None
    said: dict[str, str] = field(default_factory=dict)  # of the environment, by a preparation

    def run(self, block: Block) -> None:
        """Do what a block says, and note where it prints something else."""
        if block.note == BEFORE:
            self.said |= find_preparation(block.value)(self.folder) or {}
        elif block.note == FILE:
            path = self.folder / block.value
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._localise(block.text), encoding="utf-8")
        elif block.note == NOT_RUN:
            return
        elif block.language == "console":
            self._compare(
                block, write_commands([self._run_command(c, block) for c in read_commands(block.text)])
            )
        elif block.language == "python":
            self._compare(block, self._run_python(block.text))

    def stop(self) -> None:
        """End what is still running."""
        for process in [*self.processes, *filter(None, [self.session])]:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            # what is left of its group, too
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def _compare(self, block: Block, text: str) -> None:
        if text != block.text:
            self.differences.append(Difference(block, text))

    def _run_command(self, said: Command, block: Block) -> Command:
        if block.note == UNTIL:
            printed = self._start(said.command, block.value)
        else:
            printed = self._finish(said.command)
        same = match_lines(said.output, printed)
        return said if same else Command(said.command, merge_lines(said.output, printed))

    def _finish(self, command: str) -> list[str]:
        with self._open(command) as process:
            try:
                printed, _ = process.communicate(timeout=SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                printed = f"(not at its end after {SECONDS} seconds)"
        return self._read(printed)

    def _start(self, command: str, address: str) -> list[str]:
        log = self.folder / f".output-{len(self.processes)}"
        with log.open("w") as out:
            process = self._open(command, out.fileno())
        self.processes.append(process)
        ends = time.monotonic() + 60
        while not _answers(self._localise(address)):
            if process.poll() is not None or time.monotonic() > ends:
                break
            time.sleep(0.1)
        printed = log.read_text(encoding="utf-8")
        return self._read(printed)

    def _open(self, command: str, out: int = subprocess.PIPE) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["bash", "-c", self._localise(command)],
            cwd=self.folder,
            env=self._build_environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )

    def _build_environment(self) -> dict[str, str]:
        [node], _ = hatch_build.find_node()
        tools = os.pathsep.join(
            [str(Path(sys.executable).parent), str(Path(node).parent), os.environ["PATH"]]
        )
        plain = {"PATH": tools, "COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}
        return {**os.environ, **plain, "FASTCLF_PORT": self.port, **self.said}

    def _run_python(self, text: str) -> str:
        if self.session is None:
            self.session = self._open_session()
        stdin, stdout = self.session.stdin, self.session.stdout
        assert stdin is not None
        assert stdout is not None
        lines = [line for line in text.splitlines() if not line.startswith(_PRINTED.rstrip())]
        stdin.write(json.dumps(self._localise("\n".join(lines))) + "\n")
        stdin.flush()
        answer = json.loads(stdout.readline() or '{"printed": [], "error": "The session has ended."}')
        for line, words in answer["printed"][::-1]:
            lines[line:line] = [(_PRINTED + said).rstrip() for said in self._read(words) or [""]]
        if answer["error"]:
            lines += [_PRINTED + line for line in answer["error"].splitlines()]
        return _keep_documented(text.splitlines(), lines)

    def _open_session(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).parent / "session.py")],
            cwd=self.folder,
            env=self._build_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )

    def _localise(self, text: str) -> str:
        return text.replace(PORT, self.port)

    def _read(self, printed: str) -> list[str]:
        """Return printed lines as a page would show them."""
        plain = _ENDING.sub("", printed).replace(str(self.folder), "~").replace(self.port, PORT)
        lines = [line.rsplit("\r", 1)[-1].rstrip() for line in plain.splitlines()]
        while lines and not lines[-1]:
            lines.pop()
        return lines


def _keep_documented(documented: list[str], printed: list[str]) -> str:
    same = match_lines(documented, printed)
    return "\n".join(documented if same else merge_lines(documented, printed)) + "\n"


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


@contextlib.contextmanager
def play(folder: Path) -> Iterator[Play]:
    """Open a run in an empty folder; what it starts ends with it."""
    run = Play(folder)
    try:
        yield run
    finally:
        run.stop()


def play_page(page: Path, folder: Path) -> list[Difference]:
    """Do a whole page and return what differs."""
    with play(folder) as run:
        for block in read_blocks(page):
            run.run(block)
        return run.differences


def rewrite(page: Path, differences: list[Difference]) -> None:
    """Write what was printed into the page."""
    lines = page.read_text(encoding="utf-8").splitlines()
    for each in reversed(differences):
        new = [(each.block.indent + line).rstrip() for line in each.text.splitlines()]
        lines[each.block.line : each.block.end] = new
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")
