"""What is wrong in a text that is no TOML: the line, and what to write there."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

from ...errors import Message

_DOUBLE, _SINGLE = "“”„‟«»″〝〞", "‘’‚‛‹›′´`"
_PLACE = re.compile(r"\(at line (\d+), column (\d+)\)")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_WORDS = {
    "true": "true", "yes": "true", "on": "true", "false": "false", "no": "false", "off": "false",
    "none": None, "null": None, "nil": None, "nan": None, "undefined": None, "~": None,
}  # fmt: skip
_COMMENT = re.compile(r"(//|/\*|;|--|%|<!--)")


class Fault(NamedTuple):
    """What is wrong on a line, and the line as it should be where that can be told."""

    what: str
    fixed: str = ""


def explain_toml(text: str, error: Exception) -> tuple[int | None, Message]:
    """Return the line that a parser stumbled over, counted from 1, and what to write instead.

    Examples
    --------
    >>> explain_toml("name = w", ValueError("Invalid value (at line 1, column 8)"))
    (1, 'a text stands in quotes; write: name = "w"')
    """
    whole = _find_other_format(text)
    if whole:
        return None, Message(whole)
    lines = text.splitlines() or [""]
    place = _PLACE.search(str(error))
    number, column = (int(place[1]), int(place[2])) if place else (len(lines), 1)
    reason = str(error).partition(" (at ")[0]
    if "Unclosed array" in reason or "array" in reason:
        number = _find_open_bracket(lines, number)
    number = min(number, len(lines))
    line = lines[number - 1]
    fault = _find_twin(lines, number, reason) or _find_fault(line, column) or Fault(_in_words(reason, column))
    if fault.fixed and _parses(fault.fixed):
        return number, Message("{what}; write: {line}", what=Message(fault.what), line=fault.fixed.strip())
    return number, Message(fault.what)


def _find_other_format(text: str) -> str:
    start = text.lstrip()[:400]
    if "\0" in text or start.startswith(("PK\x03", "%PDF", "{\\rtf")):
        return "it is a document of another program; save it as plain text"
    if start.startswith("<"):
        return "it is a web page; save the recipe's text alone"
    if start.startswith("{") and '"' in start:
        return 'it is JSON; write a line each, such as name = "bears", and [classes] above the classes'
    return ""


def _find_fault(line: str, column: int) -> Fault | None:
    """Return what the first of the checks finds on a line."""
    checks: tuple[Callable[[str], Fault | None], ...] = (
        _find_curly_quotes, _find_invisible, _find_colon, _find_comment, _find_header, _find_no_value,
        _find_backslash, _find_equals, _find_key, _find_word, _find_number, _find_end, _find_commas,
        _find_brace, _find_inner_quotes, _find_unquoted,
    )  # fmt: skip
    return next((fault for check in checks if (fault := check(line))), None)


def _split(line: str) -> tuple[str, str, str]:
    """Return the key, the = (or "") and the value of a line."""
    match = re.match(r"""\s*((?:"[^"]*"|'[^']*'|[^="'])*?)\s*(=)\s*(.*)$""", line)
    if match:
        return match[1], match[2], match[3].strip()
    if "=" in line and line.lstrip()[:1] not in "\"'":  # an apostrophe in the name
        key, _, value = line.partition("=")
        return key.strip(), "=", value.strip()
    return line.strip(), "", ""


def _find_curly_quotes(line: str) -> Fault | None:
    found = next((c for c in line if c in _DOUBLE or (c in _SINGLE and _stands_outside(line, c))), None)
    if found is None:
        return None
    fixed = "".join('"' if c in _DOUBLE or c in _SINGLE else c for c in line)
    return Fault(f"the quotes are of a kind that only people read ({found}), and straight ones count", fixed)


def _stands_outside(line: str, quote: str) -> bool:
    """Return whether a curly single quote begins a value or ends it, and is no apostrophe within one."""
    value = _split(line)[2] or line.strip()
    return value.startswith(quote) or value.rstrip(",;").endswith(quote)


def _find_invisible(line: str) -> Fault | None:
    for at, c in enumerate(line):
        if c != "\t" and (unicodedata.category(c) in ("Cc", "Cf", "Zs", "Zl", "Zp") and c != " "):
            fixed = line[:at] + (" " if unicodedata.category(c) == "Zs" else "") + line[at + 1 :]
            return Fault(f"in column {at + 1} is a sign that nobody sees (U+{ord(c):04X})", fixed)
    return None


def _find_comment(line: str) -> Fault | None:
    found = _COMMENT.match(line.lstrip())
    return Fault("a comment begins with #", f"# {line.strip()[len(found[1]) :].strip()}") if found else None


def _find_colon(line: str) -> Fault | None:
    if line.strip() in ("---", "..."):
        return Fault("it looks like YAML, and a recipe is TOML: key = value, and [classes] above the classes")
    match = re.match(r"""\s*("[^"]*"|'[^']*'|[^=:"']+?)\s*:(?:\s+(.*)|$)""", line)
    if not match or "=" in line.partition(":")[0]:
        return None
    key, value = _quote_key(match[1]), (match[2] or "").strip().rstrip(",")
    if not value:
        return Fault("a table's name stands in brackets, not before a colon", f"[{key}]")
    return Fault("a key and its value are joined by =, not by a colon", f"{key} = {_quote_value(value)}")


def _find_header(line: str) -> Fault | None:
    text = line.strip()
    if not text.startswith("["):
        return None
    if not text.rstrip("]").strip("["):
        return Fault("the brackets are empty; a table's name stands in them")
    if not text.endswith("]"):
        return Fault("the ] behind a table's name is missing", text.partition("#")[0].rstrip() + "]")
    names = [part.strip() for part in text.strip("[]").split(".")]
    fixed = ".".join(_quote_key(name) for name in names)
    if fixed != text.strip("[]"):
        return Fault("a name with blanks or other letters than a to z stands in quotes", f"[{fixed}]")
    return None


def _find_no_value(line: str) -> Fault | None:
    key, equals, value = _split(line)
    if not line.strip():
        return None
    if equals:
        return Fault("nothing stands behind the =") if not value or value.startswith("#") else None
    if match := re.match(r"""\s*([\w-]+)\s+(["'\[\d].*)$""", line):
        return Fault("the = between key and value is missing", f"{match[1]} = {match[2]}")
    name = key.lstrip("-*").strip().strip("\"',")
    return Fault("a key needs a value", f'{_quote_key(name)} = "{name}"') if name else None


def _find_backslash(line: str) -> Fault | None:
    key, _, value = _split(line)
    if "\\" not in value or value.startswith("'"):
        return None
    fixed = f"{_quote_key(key)} = '{value.strip(chr(34))}'"
    if not value.startswith('"'):
        return Fault("a path stands in single quotes", fixed)
    return Fault("in double quotes a \\ begins a special sign; single quotes take it as it is", fixed)


def _find_key(line: str) -> Fault | None:
    key, equals, value = _split(line)
    if not equals or all(_quote_key(part) == part for part in key.split(".")):
        return None
    fixed = f"{_quote_key(key)} = {value}"
    return Fault("a name with blanks or other letters than a to z stands in quotes", fixed)


def _find_equals(line: str) -> Fault | None:
    key, _, value = _split(line)
    if value.startswith(("=", ":", ">")) or key.endswith(":"):
        return Fault("one = stands between key and value", f"{key.rstrip(': ')} = {value.lstrip('=:> ')}")
    return None


def _find_word(line: str) -> Fault | None:
    key, _, value = _split(line)
    word = value.partition("#")[0].strip().rstrip(",;")
    if word.lower() not in _WORDS or word in ("true", "false"):
        return None
    ours = _WORDS[word.lower()]
    if ours is None:
        return Fault(f"{word} is no value of TOML; leave the whole line out")
    return Fault(f"{word} is no value of TOML", f"{key} = {ours}")


def _find_number(line: str) -> Fault | None:
    key, _, value = _split(line)
    number = value.partition("#")[0].strip().rstrip(";")
    if re.fullmatch(r"[+-]?\.\d+", number):
        return Fault("a number has a digit before its point", f"{key} = {number.replace('.', '0.')}")
    if re.fullmatch(r"[+-]?\d+,\d+", number):
        return Fault("a number has a point, not a comma", f"{key} = {number.replace(',', '.')}")
    if re.fullmatch(r"[+-]?\d+\.", number):
        return Fault("a number has a digit behind its point", f"{key} = {number}0")
    if re.fullmatch(r"[+-]?0\d+(\.\d+)?", number):
        return Fault("a number does not begin with 0", f"{key} = {number.lstrip('+-0') or '0'}")
    if match := re.fullmatch(r"(\d+)\s*(px|%|epochs|s|m|h)", number):
        return Fault("a number stands alone", f"{key} = {match[1]}")
    return None


def _find_end(line: str) -> Fault | None:
    text = line.rstrip()
    if _split(text)[1] and text.endswith((",", ";")) and _parses(text[:-1]):
        return Fault(f"no {text[-1]} stands at the end of a line", text[:-1])
    return None


def _find_commas(line: str) -> Fault | None:
    key, _, value = _split(line)
    if not value.startswith("["):
        return None
    texts = re.findall(r""""[^"]*"|'[^']*'""", value)
    joined = f"{key} = [{', '.join(texts)}]"
    if re.search(r"""["']\s+["']""", value):
        return Fault("between two texts of a list a comma is missing", joined)
    if "]" not in value:
        return Fault("the ] that ends a list is missing", joined)
    return (
        Fault("the texts of a list stand in quotes", f"{key} = [{_quote_all(value)}]") if not texts else None
    )


def _find_brace(line: str) -> Fault | None:
    key, _, value = _split(line)
    if not value.startswith("{"):
        return None
    return Fault(
        f"what is in braces stands on one line; write [{key}], and what belongs to it on lines below"
    )


def _find_inner_quotes(line: str) -> Fault | None:
    key, _, value = _split(line)
    quote = value[:1]
    if quote not in ("'", '"'):
        return None
    other, inner = '"' if quote == "'" else "'", value[1:].rstrip().removesuffix(quote)
    if quote not in inner:
        missing = value.count(quote) == 1
        return Fault("the quote at the end is missing", f"{key} = {value}{quote}") if missing else None
    if other in inner:
        return Fault(f"a {quote} within a text in {quote} ends it; leave the inner ones out")
    return Fault("a text that holds quotes stands in the other kind", f"{key} = {other}{inner}{other}")


def _find_unquoted(line: str) -> Fault | None:
    key, equals, value = _split(line)
    if not equals or value[:1] in "\"'[{" or _parses(f"x = {value}"):
        return None
    return Fault("a text stands in quotes", f"{key} = {_quote_value(value)}")


def _find_twin(lines: list[str], number: int, reason: str) -> Fault | None:
    """Return that a key or a table stands twice, and where it stood first."""
    if not reason.startswith("Cannot"):
        return None
    line = lines[number - 1]
    if line.strip().startswith("["):
        name = line.strip()
        first = next((n for n, text in enumerate(lines[: number - 1], 1) if text.strip() == name), None)
        where = f", first on line {first}" if first else ""
        return Fault(f"{name} stands twice{where}; put what belongs to it below one of them")
    key = _split(line)[0]
    earlier = (n for n in range(number - 1, 0, -1) if _split(lines[n - 1])[0] == key)
    where = next((f", first on line {n}" for n in earlier), "")
    return Fault(f"{key} stands twice{where}; take one of them out")


def _find_open_bracket(lines: list[str], number: int) -> int:
    """Return the line, at most `number`, on which the list that is not closed begins."""
    for n in range(min(number, len(lines)), 0, -1):
        if _split(lines[n - 1])[2].startswith("["):
            return n
    return number


def _quote_key(name: str) -> str:
    name = name.strip()
    if _BARE.fullmatch(name) or (name[:1] in "\"'" and name[:1] == name[-1:] and len(name) > 1):
        return name
    name = name.strip("\"'")
    return f"'{name}'" if '"' in name else f'"{name}"'


def _quote_value(value: str) -> str:
    """Return a value as TOML has it: what parses stays, a known word is translated, the rest is a text."""
    if _parses(f"x = {value}"):
        return value
    word = _WORDS.get(value.lower())
    plain = value.strip("\"'")
    return word or (f"'{plain}'" if "\\" in plain or '"' in plain else f'"{plain}"')


def _quote_all(value: str) -> str:
    return ", ".join(_quote_value(part.strip()) for part in value.strip("[] ").split(",") if part.strip())


def _parses(line: str) -> bool:
    try:
        tomllib.loads(line)
    except (tomllib.TOMLDecodeError, RecursionError):
        return False
    return True


def _in_words(reason: str, column: int) -> str:
    return f"{reason[:1].lower()}{reason[1:]} in column {column}"
