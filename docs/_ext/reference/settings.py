"""The settings of a server as one table: key of `fastclf.toml`, flag, variable, and what `--help` says."""

from __future__ import annotations

from fastclf.server import SETTINGS

from .commands import load_commands
from .markdown import code, escape, write_table

_HEAD = ("key, flag, variable", "meaning")


def write_settings(_: list[str]) -> str:
    """Return the table."""
    params = {p.opts[0].removeprefix("--"): p for p in load_commands()["serve"].params}
    rows = []
    for setting in SETTINGS:
        param = params[setting.name]
        flag = "MODEL" if param.param_type_name == "argument" else f"--{setting.name}"
        default = param.default not in (None, "", False)
        meaning = escape(param.help) + (f" Default: {code(str(param.default))}." if default else "")
        names = "<br>".join(map(code, (setting.name, flag, setting.variable)))
        rows.append((names, f"{meaning} <br>*{setting.kind}*"))
    return write_table(_HEAD, rows)
