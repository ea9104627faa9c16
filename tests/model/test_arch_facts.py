"""The list of architectures, the times that a machine keeps, and the command; nothing here loads torch."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fastclf.errors import ExportError
from fastclf.model import DEFAULT_PRETRAINED, Latency, LatencyBook, choose_arch, list_archs, time_graph
from fastclf.model.archs import DEFAULT_FROM_SCRATCH, find_arch
from fastclf.model.cost import describe_machine
from fastclf.system import advise_install, write_atomic

from ..conftest import call_fastclf
from ..toy import write_large_graph

NAMES = [facts.name for facts in list_archs()]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's commands keep their times."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return LatencyBook().path


def fill(path: Path, names: list[str]) -> None:
    """Write down made-up times, 10.5 ms and 1 ms more an architecture."""
    book = LatencyBook(path)
    for number, name in enumerate(names):
        facts = find_arch(name)
        assert facts
        book.store(Latency(name, facts.fixed_size or 224, 10.5 + number, 33.0, "2026-01-02T03:04:05+00:00"))


def run_without(package: str, *args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command where a package cannot be imported."""
    script = f"import sys; sys.modules[{package!r}] = None; sys.argv[0] = 'fastclf'\nfrom fastclf.cli import main; main()"
    command = [sys.executable, "-c", script, *args]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


def test_the_list_is_short_names_nothing_twice_and_holds_the_course_and_the_defaults() -> None:
    assert 8 <= len(NAMES) == len(set(NAMES)) <= 12
    assert {"resnet18", "resnet34", DEFAULT_PRETRAINED, DEFAULT_FROM_SCRATCH} <= set(NAMES)
    assert any(facts.maps for facts in list_archs())
    assert any(not facts.maps for facts in list_archs())


@pytest.mark.parametrize("pretrained", [True, False])
def test_the_choice_is_on_the_list_and_its_reason_is_a_sentence_that_names_it(pretrained: bool) -> None:
    name, reason = choose_arch(pretrained)
    assert name == (DEFAULT_PRETRAINED if pretrained else DEFAULT_FROM_SCRATCH)
    assert reason.startswith(name)
    assert reason.endswith(".")


def test_a_time_is_found_again_for_the_same_arch_size_and_machine_only(tmp_path: Path) -> None:
    book = LatencyBook(tmp_path / "new" / "latency.json")
    assert book.find("resnet18", 224) is None
    time = Latency("resnet18", 224, 12.5, 40.0, "2026-01-02T03:04:05+00:00")
    book.store(time)
    book.store(replace(time, size=64, ms=2.0, memory_mb=None))
    assert LatencyBook(book.path).find("resnet18", 224) == time
    assert LatencyBook(book.path).find("resnet18", 64) == replace(time, size=64, ms=2.0, memory_mb=None)
    assert book.find("resnet18", 96) is None
    assert book.find("resnet34", 224) is None
    here = describe_machine()
    for other in (
        replace(here, cpu="another"), replace(here, cores=here.cores + 1), replace(here, threads=99),
        replace(here, onnxruntime="0.1"),
    ):  # fmt: skip
        elsewhere = LatencyBook(book.path, other)
        assert elsewhere.find("resnet18", 224) is None
        elsewhere.store(replace(time, ms=99.0))
    assert book.find("resnet18", 224) == time
    # a later time takes the place of the earlier
    n = len(json.loads(book.path.read_bytes())["times"])
    book.store(replace(time, ms=7.0))
    assert book.find("resnet18", 224) == replace(time, ms=7.0)
    assert len(json.loads(book.path.read_bytes())["times"]) == n


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\xff\xfe{",
        b"[]",
        b'{"times": 3}',
        b'{"times": [1, null, {"arch": "resnet18"}]}',
        b'"x"',
        b"null",
    ],
)
def test_a_damaged_file_counts_as_empty_and_is_replaced(tmp_path: Path, damage: bytes) -> None:
    book = LatencyBook(tmp_path / "latency.json")
    write_atomic(book.path, damage)
    assert book.find("resnet18", 224) is None
    book.store(Latency("resnet18", 224, 5.0, None, "now"))
    assert book.find("resnet18", 224)


@pytest.mark.parametrize("number", ["5", None, -1, 0, True, float("inf"), float("nan"), [5]])
def test_a_time_that_is_no_amount_is_not_shown(tmp_path: Path, number: object) -> None:
    book = LatencyBook(tmp_path / "latency.json")
    book.store(Latency("resnet18", 224, 5.0, 3.0, "now"))
    content = json.loads(book.path.read_bytes())
    content["times"][0]["ms"] = number
    write_atomic(book.path, json.dumps(content).encode())
    assert book.find("resnet18", 224) is None


@pytest.mark.slow
def test_a_graph_is_timed_in_a_process_of_its_own(toy_model: Path) -> None:
    import onnxruntime as ort

    graph = toy_model / "model.onnx"
    side = ort.InferenceSession(graph).get_inputs()[0].shape[-1]
    time = time_graph(graph, "toy", side)
    assert (time.arch, time.size) == ("toy", side)
    assert 0 < time.ms < 1000
    assert sys.platform != "linux" or time.memory_mb
    with pytest.raises(ExportError, match="ONNX Runtime does not run the graph"):
        time_graph(graph, "toy", side + 1)


@pytest.mark.slow
def test_the_time_of_a_larger_graph_is_longer(tmp_path: Path) -> None:
    graphs = [write_large_graph(tmp_path / f"{wide}.onnx", wide=wide) for wide in (8, 4096)]
    times = [time_graph(graph, "toy", 8).ms for graph in graphs]
    assert times[1] > times[0]


def test_the_command_shows_kept_times_without_loading_torch(cache: Path, tmp_path: Path) -> None:
    fill(cache, NAMES)
    done = run_without("torch", "archs", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    rows = {line[1:].split()[0]: line for line in lines[1 : 1 + len(NAMES)]}
    assert list(rows) == NAMES
    for number, name in enumerate(NAMES):
        facts = find_arch(name)
        assert facts
        assert f" {10.5 + number:.1f} " in rows[name]
        assert f" {facts.imagenet:.1f} % at {facts.imagenet_size}  " in rows[name]
        assert ("exact" in rows[name]) == facts.maps
        assert ("224 only" in rows[name]) == (facts.fixed_size == 224)
    assert [name for name, line in rows.items() if line.startswith("*")] == [DEFAULT_PRETRAINED]
    for pretrained in (True, False):
        assert choose_arch(pretrained)[1] in done.stdout
    assert "not measured here" in done.stdout


def test_without_torch_the_list_stands_there_with_what_to_install(cache: Path, tmp_path: Path) -> None:
    done = run_without("torch", "archs", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in NAMES)
    assert advise_install("train") in done.stdout
    assert "Traceback" not in done.stderr
    assert not cache.exists()


def test_json_is_one_document_and_the_words_go_to_stderr(cache: Path, tmp_path: Path) -> None:
    fill(cache, NAMES[1:])
    done = run_without("torch", "archs", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [row["name"] for row in told["archs"]] == NAMES
    assert told["archs"][0]["latency"] is None
    assert told["archs"][1]["latency"] == {
        "size": 224, "ms": 10.5, "memory_mb": 33.0, "measured": "2026-01-02T03:04:05+00:00",
    }  # fmt: skip
    assert told["defaults"]["pretrained"]["arch"] == DEFAULT_PRETRAINED
    assert told["defaults"]["from_scratch"] == dict(zip(("arch", "reason"), choose_arch(False), strict=True))
    assert told["machine"]["cores"] >= 1
    assert told["notes"]
    assert told["notes"][0] in done.stderr


def test_times_of_another_size_are_others_but_for_what_takes_one_size(cache: Path, tmp_path: Path) -> None:
    fill(cache, NAMES)
    done = run_without("torch", "archs", "--json", "--size", "64", cwd=tmp_path)
    shown = {row["name"] for row in json.loads(done.stdout)["archs"] if row["latency"]}
    assert shown == {facts.name for facts in list_archs() if facts.fixed_size == 224}


def test_an_impossible_size_is_a_sentence(tmp_path: Path) -> None:
    done = call_fastclf("archs", "--size", 5, cwd=tmp_path)
    assert done.returncode == 2
    assert "16 to 1024" in done.stderr
