"""The directives `benchmark-plot` and `benchmark-table`: what benchmarks/ measured, in a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from benchmark_plots import load_plots
from benchmark_svg import draw
from benchmark_tables import FILES, Table, find_table, read_tables, read_text
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective


class BenchmarkPlot(SphinxDirective):
    """A plot by its name."""

    required_arguments = 1
    has_content = False

    def run(self) -> list[nodes.Node]:
        """Return the title and the picture."""
        name, plots = self.arguments[0], load_plots()
        if name not in plots:
            raise self.error(f"There is no plot {name!r}; there are {', '.join(plots)}.")
        plot, tables = plots[name], _read_tables(self)
        caption = nodes.paragraph("", "", nodes.strong("", plot.title), classes=["benchmark-title"])
        try:
            picture = nodes.raw("", draw(name, plot, tables), format="html")
        except LookupError as e:
            raise self.error(str(e.args[0])) from None
        return [caption, picture]


class BenchmarkTable(SphinxDirective):
    """Some columns of a table, by its section; with `only` the rows whose first cell is this one."""

    required_arguments = 1
    has_content = False
    option_spec: ClassVar[dict[str, Any]] = {
        "columns": directives.unchanged_required,
        "only": directives.unchanged_required,
    }

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        columns = [column.strip() for column in self.options["columns"].split("|")]
        tables = _read_tables(self)
        try:
            table = find_table(tables, self.arguments[0], columns, self.options.get("only", ""))
        except LookupError as e:
            raise self.error(str(e.args[0])) from None
        return [_build_table(table)]


def _read_tables(directive: SphinxDirective) -> list[Table]:
    for path in FILES:
        directive.env.note_dependency(str(path))
    return read_tables(read_text())


def _build_table(table: Table) -> nodes.table:
    group = nodes.tgroup("", cols=len(table.heads))
    group += [nodes.colspec("", colwidth=1) for _ in table.heads]
    group += nodes.thead("", _build_row(table.heads))
    group += nodes.tbody("", *(_build_row(row) for row in table.rows))
    return nodes.table("", group)


def _build_row(cells: Sequence[str]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", cell)) for cell in cells))


def setup(app: Any) -> dict[str, Any]:
    """Tell Sphinx of the directives."""
    app.add_directive("benchmark-plot", BenchmarkPlot)
    app.add_directive("benchmark-table", BenchmarkTable)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
