"""`make fuzz`: inputs that reach new lines are kept and changed further, by atheris.

usage: python -m tests.fuzz.explore SECONDS [TARGET]

The seconds are shared out among the targets. What is found is written below `build/fuzz/found/`: a file that
belongs into `tests/fuzz/corpus/TARGET/` once its cause is mended. The exit code is 1 where something was found.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import time
import traceback
from pathlib import Path

from .target import remove_folders

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "fuzz" / "corpus"
WORK = ROOT / "build" / "fuzz"
# Of any one input; what takes longer, or more, ends the process and is kept like any finding.
_MOST_SECONDS, _MOST_MEGABYTES = 20, 2500
_LARGEST = 1 << 16
_COUNT = re.compile(rb"stat::number_of_executed_units:\s*(\d+)|^#(\d+)\s", re.MULTILINE)


def main(seconds: int, wanted: str = "") -> int:
    """Fuzz one target, or all in turn; returns the exit code."""
    from .targets import TARGETS

    if wanted and wanted not in TARGETS:
        print(f"There is no target {wanted!r}. There is: {', '.join(TARGETS)}.", file=sys.stderr)
        return 2
    names = [wanted] if wanted else list(TARGETS)
    total = sum(fuzz_target(name, max(1, seconds // len(names))) for name in names)
    found = (file for name in names for file in (WORK / "found" / name).glob("*"))
    files = sorted(file for file in found if file.suffix != ".txt")  # a traceback lies beside each
    for file in files:
        print(f"found: {file.relative_to(ROOT)}")
    print(f"{total:,} inputs, {len(files)} findings.")
    return int(bool(files))


def fuzz_target(name: str, seconds: int) -> int:
    """Fuzz one target in child processes, a new one after each that dies; returns the count of inputs."""
    (WORK / "found" / name).mkdir(parents=True, exist_ok=True)
    started, total = time.monotonic(), 0
    while (left := seconds - round(time.monotonic() - started)) > 0:
        command = [sys.executable, "-m", "tests.fuzz.explore", "--child", name, str(left)]
        with (WORK / f"{name}.log").open("wb") as log:
            child = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
            child.wait()
            remove_folders(child.pid)
        said = (WORK / f"{name}.log").read_bytes()
        counts = [int(a or b) for a, b in _COUNT.findall(said)]
        total += max(counts, default=0)
        if not counts:
            raise SystemExit(f"{said.decode(errors='replace')[-2000:]}\nThe fuzzer of {name} did not start.")
    print(f"{name}: {total:,} inputs in {time.monotonic() - started:.0f} s")
    return total


def run_child(name: str, seconds: int) -> None:
    """Fuzz in this process until the time is over; ends it."""
    import atheris

    with atheris.instrument_imports(include=["fastclf", "PIL"]):
        from .target import FindingError
        from .targets import TARGETS

        target = TARGETS[name]
        seeds = target.seeds()
        for seed in seeds:  # rooms load their files at first use
            _keep_finding(name, seed, FindingError, target.judge)
    arguments = _write_arguments(name, seeds, target.words, seconds)
    atheris.Setup(arguments, lambda data: _keep_finding(name, data, FindingError, target.judge))
    atheris.Fuzz()


def _write_arguments(name: str, seeds: list[bytes], words_of: tuple[bytes, ...], seconds: int) -> list[str]:
    """Write seeds and words where libFuzzer reads them; return what it is called with."""
    corpus, known = WORK / "corpus" / name, CORPUS / name
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    words = WORK / f"{name}.dict"
    words.write_text("".join(f'"{"".join(f"{chr(92)}x{b:02x}" for b in word[:60])}"\n' for word in words_of))
    return [
        sys.argv[0], str(corpus), *([str(known)] if known.is_dir() else []),
        *([f"-dict={words}"] if words_of else []),
        f"-artifact_prefix={WORK / 'found' / name}/", f"-max_total_time={seconds}", "-print_final_stats=1",
        f"-timeout={_MOST_SECONDS}", f"-rss_limit_mb={_MOST_MEGABYTES}", f"-max_len={_LARGEST}", "-verbosity=1",
    ]  # fmt: skip


def _keep_finding(name: str, data: bytes, kind: type[Exception], judge: object) -> None:
    """Judge an input; the first of each kind of finding is written, and the search goes on."""
    try:
        judge(data)  # type: ignore[operator]
    except kind as e:
        cause = e.__cause__ or e
        frames = [f for f in traceback.extract_tb(cause.__traceback__) if f.filename.startswith(str(ROOT))]
        place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
        words = str(e) if e.__cause__ is None else f"{type(cause).__name__} {place}"
        stem = re.sub(r"[^\w.:-]+", "_", words)[:80]
        file = WORK / "found" / name / f"{stem}.{hashlib.sha256(words.encode()).hexdigest()[:6]}"
        if not file.exists():
            file.write_bytes(data)
            file.with_suffix(file.suffix + ".txt").write_text("".join(traceback.format_exception(e)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        run_child(sys.argv[2], int(sys.argv[3]))
    sys.exit(main(int(sys.argv[1]), *sys.argv[2:3]))
