"""The plots of the documents show the numbers of the tables in benchmarks/, and no others."""

from __future__ import annotations

import importlib
import re
import sys
from typing import Any
from xml.etree import ElementTree

import pytest

from .pages import DOCS

sys.path.insert(0, str(DOCS / "_ext"))
benchmark_plots, benchmark_svg, benchmark_tables = map(
    importlib.import_module, ("benchmark_plots", "benchmark_svg", "benchmark_tables")
)

TEXT = benchmark_tables.read_text()
TABLES = benchmark_tables.read_tables(TEXT)
PLOTS = benchmark_plots.load_plots()
NUMBER = r"\d[\d,]*\.?\d*"


def read_cell(section: str, row: tuple[str, ...], column: str) -> list[str]:
    """Find a cell's numbers line by line, another way than the plots do."""
    part = re.split(r"^## ", TEXT.split(f"\n## {section}\n")[1], flags=re.MULTILINE)[0]
    begins = r"\|" + "".join(rf"\s*\**{re.escape(cell)}\**\s*\|" for cell in row)
    heads: list[str] = []
    found = []
    for line in part.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        heads = (heads or cells) if line.startswith("|") else []
        if re.match(begins, line) and column in heads:
            found.append(re.findall(NUMBER, cells[heads.index(column)]))
    [numbers] = found
    return [number.rstrip(",") for number in numbers]


def draw(name: str, tables: Any = TABLES) -> str:
    return str(benchmark_svg.draw(name, PLOTS[name], tables))


def measure_bars(name: str, svg: str) -> list[float]:
    groups = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}g")
    bars = {g.get("id"): g for g in groups if "-bar-" in g.get("id", "")}
    widths = []
    for n in range(len(bars)):
        [path] = list(bars[f"{name}-bar-{n}"])
        numbers = [float(x) for x in re.findall(r"[ML] (-?[\d.]+) ", path.get("d", ""))]
        widths.append(max(numbers) - min(numbers))
    return widths


@pytest.mark.slow
@pytest.mark.parametrize("name", PLOTS)
def test_each_bar_has_the_number_of_its_cell_and_its_length(name: str) -> None:
    words = draw(name)
    widths = measure_bars(name, words)
    for group in PLOTS[name].groups:
        lengths, values = [], []
        for bar in group.bars:
            numbers = read_cell(bar.section, bar.row, bar.column)
            whole = 1.0 if bar.of is None else float(numbers[bar.of].replace(",", ""))
            assert f">{numbers[bar.place]}" in words
            values.append(float(numbers[bar.place].replace(",", "")) / whole)
            lengths.append(widths.pop(0))
        longest = 248 if group.full is None else 248 * max(values) / group.full
        assert lengths == pytest.approx([longest * value / max(values) for value in values], abs=0.01)
    assert widths == []


@pytest.mark.slow
def test_another_number_in_the_table_makes_another_bar() -> None:
    assert "| 5463 |" in TEXT
    changed = benchmark_tables.read_tables(TEXT.replace("| 5463 |", "| 272 |"))
    before, after = measure_bars("weight", draw("weight")), measure_bars("weight", draw("weight", changed))
    assert before[2] / before[0] < 0.03
    assert after[2] / after[0] == pytest.approx(0.5)


def test_a_row_that_is_gone_or_there_twice_is_told() -> None:
    gone = benchmark_tables.read_tables(TEXT.replace("page usable, cold, s; course's app", "page, cold"))
    with pytest.raises(LookupError, match="0 cells in the section 'page'"):
        benchmark_svg.describe(PLOTS["usable"], gone)
    with pytest.raises(LookupError, match="2 cells"):
        benchmark_svg.describe(PLOTS["usable"], TABLES + TABLES)


@pytest.mark.slow
def test_a_plot_is_the_same_each_time_in_the_colour_of_the_page_and_said_in_words() -> None:
    first, second = draw("memory"), draw("memory")
    assert first == second
    assert set(re.findall(r"fill: ([^;\"]+)", first)) - {"none"} == {"currentColor", "#868b94", "#3f83e0"}
    assert "the course&#x27;s app: 662 MB" in first
    ids = re.findall(r'\bid="([^"]*)"', first)
    assert len(ids) == len(set(ids))
    assert all(one.startswith("memory-") for one in ids)


def test_every_plot_stands_among_the_figures() -> None:
    figures = (DOCS / "reference" / "figures.md").read_text(encoding="utf-8")
    assert set(re.findall(r":::\{benchmark-plot\} (\w+)", figures)) == set(PLOTS)


def test_a_table_in_a_page_has_the_cells_of_the_benchmarks_and_the_rows_that_were_asked_for() -> None:
    table = benchmark_tables.find_table(TABLES, "promises", ("way", "least recall"), "signs")
    assert table.rows[0] == ("nothing", "0.294")
    assert table.rows[-1] == ("evened out, as fastclf does it", "0.550")
    assert len(table.rows) == 4
    with pytest.raises(LookupError, match="0 tables in the section 'promises'"):
        benchmark_tables.find_table(TABLES, "promises", ("way", "worst recall"))
