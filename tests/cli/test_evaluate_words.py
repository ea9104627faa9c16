"""What `fastclf evaluate` says of single photos."""

from __future__ import annotations

from fastclf.cli.evaluate import _tell_losses


def test_a_photo_with_a_large_loss_keeps_its_folders_which_say_its_label() -> None:
    files = ["pants/a.jpg", f"hat/{'long ' * 20}name.jpg"]
    rows = [
        {"file": file, "label": file.split("/")[0], "answer": "shoes", "probability": 0.9, "loss": 5.0}
        for file in files
    ]
    title, *lines = _tell_losses("valid", rows)
    assert title == "Largest losses (validation):"
    assert [line.split("  called ")[0].strip() for line in lines] == files
    assert lines[0].index("called") == 48
