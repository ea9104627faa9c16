"""Messages: an English sentence that remembers its template and fields, wherever it goes."""

from __future__ import annotations

import copy
import pickle

import pytest

from fastclf.errors import (
    CheckError,
    FastclfError,
    Message,
    MissingExtraError,
    UnreadablePhotoError,
    count_message,
    describe_error,
    join_messages,
    pack_message,
    unpack_message,
)

NESTED = Message(
    "{what} took {n:.1f} s with {name!r}, {m} photos.",
    what=Message("{step} of {steps}", step=1, steps=Message("two")),
    n=2.25,
    m=1200,
    name="a\n{b}",
)


def test_a_message_is_the_sentence_and_remembers_how_it_was_made() -> None:
    assert NESTED == "1 of two took 2.2 s with 'a\\n{b}', 1,200 photos."
    assert NESTED.fields["what"].template == "{step} of {steps}"
    assert Message("no {field} here") == "no {field} here"
    assert Message("{{kept}} {n:d}", n=8080) == "{kept} 8080"
    assert Message("{x:,.2f} {ok}", x=1234.5, ok=True) == "1,234.50 True"
    assert Message(NESTED) is NESTED


def test_a_template_says_the_fields_that_it_is_given() -> None:
    with pytest.raises(KeyError):
        Message("{name} {other}", name="a")


@pytest.mark.parametrize("text", [NESTED, Message("plain"), "plain", Message("{n} {{x}}", n=1)])
def test_a_message_passes_through_a_line_of_text(text: str) -> None:
    line = pack_message(text)
    assert "\n" not in line
    again = unpack_message(line)
    assert again == text
    assert (again.template, again.fields) == (Message(text).template, Message(text).fields)


def nest_templates(n: int) -> str:
    """A message that doubles n times."""
    return '{"template": "{a}{a}", "fields": {"a": ' * n + '"laughs"' + "}}" * n


def test_a_message_too_long_to_be_unpacked_is_packed_as_a_text() -> None:
    words = Message("{name} is long", name="a" * 20_000)
    assert unpack_message(pack_message(words)) == words


@pytest.mark.parametrize(
    "text",
    [
        '{"template": 3}', '{"template": "{a.__class__}", "fields": {"a": 1}}',
        '{"template": "{a:99999999}", "fields": {"a": 1}}', '{"template": "{a[0]}", "fields": {"a": "b"}}',
        '{"template": "{b}", "fields": {"a": 1}}', '{"template": "{", "fields": {"a": 1}}', '{"template": [',
        '{"template": 7, "fields": {}}', '{"template": "{a:9999}", "fields": {"a": 1}}', nest_templates(12),
        nest_templates(5000), '{"template": "{a:.2f}", "fields": {"a": 1' + "0" * 400 + "}}",
    ],
)  # fmt: skip
def test_a_line_that_no_message_made_is_a_text(text: str) -> None:
    assert unpack_message(text) == text


@pytest.mark.parametrize(
    "error",
    [
        FastclfError("There is no {name}.", name="a"), CheckError("Try again."), CheckError(NESTED),
        UnreadablePhotoError("a.jpg", Message("has {n} pixels", n=3)),
        MissingExtraError("{name} is not installed.", name="onnx"),
    ],
)  # fmt: skip
def test_an_error_keeps_its_message_when_it_is_copied(error: FastclfError) -> None:
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is type(error)
        assert str(again) == str(error) == error.message
        assert again.message.template == error.message.template
        assert again.message.fields == error.message.fields


def test_an_unreadable_photo_has_its_name_and_its_reason() -> None:
    error = UnreadablePhotoError("a.jpg", "is empty")
    assert (error.name, error.reason, str(error)) == ("a.jpg", "is empty", "a.jpg is empty.")
    assert isinstance(error.message.fields["reason"], Message)


def test_an_exception_among_the_fields_is_its_sentence() -> None:
    assert Message("no ({reason})", reason=ValueError("bad")).fields == {"reason": "bad"}
    nested = Message("no ({reason})", reason=CheckError("{n} photos", n=2))
    assert nested == "no (2 photos)"
    assert nested.fields["reason"].template == "{n} photos"


def test_messages_are_counted_and_joined() -> None:
    assert [count_message(n, "1 photo", "{n} photos") for n in (0, 1, 2000)] == [
        "0 photos", "1 photo", "2,000 photos",
    ]  # fmt: skip
    assert join_messages(["a", "", Message("{n} b", n=1)], ", ") == "a, 1 b"
    assert join_messages([]) == ""


def test_an_error_that_is_not_ours_is_one_short_line_or_its_kind() -> None:
    assert describe_error(ValueError("two\n lines.")) == "two lines"
    assert describe_error(ValueError()) == "ValueError"
    assert len(describe_error(ValueError("x" * 500))) == 160
