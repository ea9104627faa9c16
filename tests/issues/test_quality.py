"""Photos that show little: what is measured, and what of it is a fault."""

from __future__ import annotations

from PIL import ImageFilter

from fastclf.issues import find_low_quality, measure_quality

from ..drawing import draw_scene


def test_measures_do_not_depend_on_size() -> None:
    small, large = draw_scene("s", (300, 240)), draw_scene("s", (300, 240)).resize((1200, 960))
    a, b = measure_quality(small), measure_quality(large)
    for name in ("bright", "dim", "contrast", "colour"):
        assert abs(getattr(a, name) - getattr(b, name)) < 0.02
    assert find_low_quality([], [], []) == []
    # of tiny photos nobody can say that they are blurred
    soft = measure_quality(draw_scene("s", (200, 160)).filter(ImageFilter.GaussianBlur(9)))
    for side, kinds in ((200, {"blurred"}), (32, set())):
        found = find_low_quality([a, a, a, soft], [side] * 4, [side] * 4)
        assert {f.kind for f in found if f.row == 3} == kinds
    grey = measure_quality(draw_scene("g").convert("L").convert("RGB"))
    assert not any(f.kind == "grey" for f in find_low_quality([grey] * 4 + [a], [9] * 5, [9] * 5))
