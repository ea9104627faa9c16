"""What is known of the machine without loading anything."""

from __future__ import annotations

import pytest

from fastclf.system import has_gpu, processes


@pytest.mark.parametrize(
    ("files", "visible", "tool", "expected"),
    [
        (["/dev/nvidia0"], None, None, True),
        (["/dev/nvidia0"], "0,1", None, True),
        (["/dev/nvidia0"], "", None, False),
        (["/dev/nvidia0"], "-1", "nvidia-smi", False),
        (["/dev/dxg"], None, None, True),
        ([], None, "nvidia-smi", True),
        ([], None, None, False),
    ],
)  # fmt: skip
def test_a_gpu_is_seen_by_its_driver_unless_it_is_hidden(
    files: list[str], visible: str | None, tool: str | None, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes.Path, "exists", lambda path: str(path) in files)
    monkeypatch.setattr(processes.shutil, "which", lambda name: tool)
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert has_gpu() == expected
