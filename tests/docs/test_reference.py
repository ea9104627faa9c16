"""The reference has every command, option, setting and variable, and its pages are made of the code."""

from __future__ import annotations

import re
from typing import Any

import pytest

from fastclf.cli.endings import STOPPED, describe_end
from fastclf.errors import PhotosError, UsageError
from fastclf.server import SETTINGS

from ..conftest import ROOT
from ..house.named import COMMANDS, VARIABLES
from .pages import REFERENCE
from .tables import read_tables

from reference import commands, expand, read_blocks, settings  # isort: skip

PAGES = {p: p.read_text(encoding="utf-8") for p in sorted((REFERENCE / "commands").glob("*.md"))}
SHOWN = "\n".join(map(expand, PAGES.values()))


def test_every_command_stands_on_one_page() -> None:
    listed = [name for text in PAGES.values() for block in read_blocks(text, "commands") for name in block]
    assert len(listed) == len(set(listed))
    assert set(listed) == {name.split()[0] for name in commands.load_commands()}
    assert re.findall(r"^## fastclf (.+)$", SHOWN, re.MULTILINE) != []
    assert set(re.findall(r"^## fastclf (.+)$", SHOWN, re.MULTILINE)) == set(commands.load_commands())
    assert set(commands.load_commands()) >= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_its_help_options_and_examples(name: str) -> None:
    command: Any = COMMANDS[name]
    [section] = re.findall(rf"^## fastclf {name}\n(.*?)(?=^## |\Z)", SHOWN, re.MULTILINE | re.DOTALL)
    assert command.help
    assert all(p.help for p in command.params)
    said = set(re.findall(r"`(--[a-z-]+)", section))
    assert said >= {word for p in command.params for word in [*p.opts, *p.secondary_opts] if word[:2] == "--"}
    assert section.count("\n: ") == len(command.params)
    assert f"fastclf {name}" in section.rpartition("**Examples**")[2]


def test_the_exit_codes_are_those_of_the_table() -> None:
    said = read_tables(REFERENCE / "commands" / "index.md")["Exit codes"]
    ends = [describe_end(e)[1] for e in (PhotosError("x"), UsageError("x"), KeyboardInterrupt())]
    assert said == [str(code) for code in (0, *ends)]
    assert ends[-1] == STOPPED


def test_every_setting_is_a_row_with_its_flag_variable_and_meaning() -> None:
    rows = settings.write_settings([]).splitlines()[2:]
    assert len(rows) == len(SETTINGS)
    for setting, row in zip(SETTINGS, rows, strict=True):
        names, meaning = row.strip("| ").split(" | ")
        flag = "MODEL" if setting.name == "model" else f"--{setting.name}"
        assert names == f"`{setting.name}`<br>`{flag}`<br>`{setting.variable}`"
        assert meaning.endswith(f" <br>*{setting.kind}*")
        assert len(meaning) > 20 + len(setting.kind)


def test_every_variable_that_is_read_is_explained() -> None:
    page = (REFERENCE / "settings.md").read_text(encoding="utf-8")
    named = set(re.findall(r"FASTCLF_[A-Z_]*[A-Z]", expand(page)))
    assert len(VARIABLES) > 20
    # the tests' own
    assert named == VARIABLES | {"FASTCLF_CHROMIUM"}
    assert set(read_tables(REFERENCE / "settings.md")["Other variables"]) == VARIABLES - {
        s.variable for s in SETTINGS
    }


def test_a_setting_that_a_text_explains_is_one() -> None:
    page = (REFERENCE / "settings.md").read_text(encoding="utf-8")
    terms = [
        term
        for line in re.findall(r"^(`.+)\n: ", page, re.MULTILINE)
        for term in re.findall(r"`([^`]+)`", line)
    ]
    assert len(terms) > 8
    assert set(terms) <= {setting.name for setting in SETTINGS}


def test_what_is_generated_is_not_written_into_the_pages() -> None:
    assert (ROOT / "docs" / "_ext" / "reference").is_dir()
    assert not any("## fastclf " in text for text in PAGES.values())
