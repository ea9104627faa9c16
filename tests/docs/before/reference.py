"""What the readers of the reference have."""

from __future__ import annotations

from pathlib import Path

from ...drawing import draw_photo, encode


def photos_with_a_table(folder: Path) -> None:
    """`images` with twelve photos of red, green and blue, and `labels.csv` with the class of each."""
    rows = ["file,kind"]
    (folder / "images").mkdir()
    for number in range(12):
        label = ("red", "green", "blue")[number % 3]
        photo = encode(draw_photo(label, number, (160, 120)), "PNG")
        (folder / "images" / f"{number:03}.png").write_bytes(photo)
        rows.append(f"{number:03}.png,{label}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
