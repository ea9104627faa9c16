"""Every address of the API, from the description that `/openapi.json` gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fastclf.api.docs import load_description

from .markdown import code, escape, write_table

_HEAD = ("field", "type", "meaning")
_HEADING = "(object-{low})=\n### {name}\n\n"


def write_addresses(_: list[str]) -> str:
    """Return a section for each tag, in it each call, then the objects that calls speak of."""
    found = load_description()
    tags = "\n".join(_write_tag(tag, found["paths"]) for tag in found["tags"])
    schemas = found["components"]["schemas"]
    objects = "\n".join(_write_object(name, schema) for name, schema in schemas.items())
    return f"{escape(found['info']['description'])}\n\n{tags}\n## Objects\n\n{objects}"


def _write_tag(tag: Mapping[str, str], paths: Mapping[str, Any]) -> str:
    calls = [
        _write_call(path, method, call)
        for path, methods in paths.items()
        for method, call in methods.items()
        if tag["name"] in call["tags"]
    ]
    return "\n".join([f"## {tag['name']}\n", f"{escape(tag.get('description', ''))}\n", *calls])


def _write_call(path: str, method: str, call: Mapping[str, Any]) -> str:
    parts = [f"### `{method.upper()} {path}`\n", f"{escape(call['summary'])}.\n"]
    parts.append(f"{escape(call.get('description', ''))}\n")
    parts += [f"- {line}" for line in _list_parts(call)]
    return "\n".join([*parts, ""])


def _list_parts(call: Mapping[str, Any]) -> Iterator[str]:
    for given in call.get("parameters", ()):
        yield f"{given['in']} {code(given['name'])}: {escape(given.get('description', ''))}"
    body = call.get("requestBody", {}).get("content", {})
    for kind, content in body.items():
        fields = _find_fields(content.get("schema", {}))
        yield f"body {code(kind)}{': ' + fields if fields else ''}"
    for status, answer in call["responses"].items():
        if "$ref" not in answer:
            yield f"answer {code(status)}: {_describe(answer)}"
    faults = [code(s) for s, answer in call["responses"].items() if "$ref" in answer]
    if faults:
        yield f"faults, as problem JSON: {', '.join(faults)}"


def _describe(answer: Mapping[str, Any]) -> str:
    fields = [_find_fields(c.get("schema", {})) for c in answer.get("content", {}).values()]
    return " ".join([escape(answer["description"]), *filter(None, fields)])


def _find_fields(schema: Mapping[str, Any]) -> str:
    schema, several = (schema["items"], "a list of ") if "items" in schema else (schema, "")
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"{several}[{name}](#object-{name.lower()})"
    return several + ", ".join(code(name) for name in schema.get("properties", ()))


def _write_object(name: str, schema: Mapping[str, Any]) -> str:
    if "properties" not in schema:
        return f"{_HEADING.format(low=name.lower(), name=name)}{escape(schema['description'])}\n"
    needed = schema.get("required", ())
    rows = [
        (
            code(field) + ("" if field in needed else " (optional)"),
            _name_type(said),
            escape(said.get("description", "")),
        )
        for field, said in schema.get("properties", {}).items()
    ]
    words = f"{escape(schema['description'])}\n" if "description" in schema else ""
    return f"{_HEADING.format(low=name.lower(), name=name)}{words}\n{write_table(_HEAD, rows)}"


def _name_type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#object-{name.lower()})"
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(_name_type(each) for each in schema[key])
    if "const" in schema or "enum" in schema:
        return " or ".join(code(str(v)) for v in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type", "any")
    kinds = kind if isinstance(kind, list) else [kind]
    if "array" in kinds and "items" in schema:
        return f"list of {_name_type(schema['items'])}"
    return " or ".join(kinds)
