"""Room for visitors: what the host says, or what the memory holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastclf.server.places import count_places, read_free_megabytes, read_max_visitors


@pytest.mark.parametrize(
    ("value", "expected"), [("3", 3), (" 7 ", 7), ("", 42), ("0", 42), ("-1", 42), ("many", 42)]
)
def test_the_number_of_places_is_the_settings_or_what_the_memory_holds(
    value: str, expected: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("FASTCLF_MAX_VISITORS", value)
    monkeypatch.setattr("fastclf.server.places.read_free_megabytes", lambda: 300 + 42.5 * 45)
    assert read_max_visitors(forks=True) == expected
    assert ("FASTCLF_MAX_VISITORS" in caplog.text) == (value in ("0", "-1", "many"))


def test_forks_find_more_room_and_nobody_is_turned_away_for_a_wrong_guess() -> None:
    assert count_places(None, forks=True) == 20
    assert [count_places(2000, forks=forks) for forks in (True, False)] == [37, 15]
    assert [count_places(n, forks=True) for n in (50, 10**6)] == [1, 100]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"proc/meminfo": "MemTotal: 4096000 kB\nMemAvailable: 2048000 kB\n"}, 2000),
        (
            {
                "proc/meminfo": "MemAvailable: 2048000 kB\n",
                "sys/fs/cgroup/memory.max": str(2**30),
                "sys/fs/cgroup/memory.current": str(2**29),
                "sys/fs/cgroup/memory.stat": f"anon 1\ninactive_file {2**28}\n",
            },
            768,
        ),
        (
            {
                "proc/meminfo": "MemAvailable: 2048000 kB\n",
                "sys/fs/cgroup/memory.max": "max\n",
                "sys/fs/cgroup/memory.current": "5",
                "sys/fs/cgroup/memory.stat": "",
            },
            2000,
        ),
        (
            {
                "sys/fs/cgroup/memory/memory.limit_in_bytes": str(2**30),
                "sys/fs/cgroup/memory/memory.usage_in_bytes": str(2**29),
                "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 0\n",
            },
            512,
        ),
    ],
    ids=["nobody says", "machine", "container", "container without a limit", "older container"],
)
def test_the_memory_at_hand_is_the_machines_or_the_containers(
    files: dict[str, str], expected: float | None, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert read_free_megabytes(tmp_path) == expected
