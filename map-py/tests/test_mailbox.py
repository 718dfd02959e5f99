"""`Mailbox`: a value that is the proof."""

import pickle

import pytest
from mapagent import Mailbox


def test_parts() -> None:
    mailbox = Mailbox(" cxw@Apple.com\t")
    assert (mailbox.local_part, mailbox.domain) == ("cxw", "Apple.com")
    assert str(mailbox) == "cxw@Apple.com"
    assert repr(mailbox) == "Mailbox('cxw@Apple.com')"


def test_quoted_string_and_literal() -> None:
    assert Mailbox('"a b"@example.com').local_part == '"a b"'
    assert Mailbox("a@[192.0.2.1]").domain == "[192.0.2.1]"


def test_any_script() -> None:
    mailbox = Mailbox("用户@例え.テスト")
    assert (mailbox.local_part, mailbox.domain) == ("用户", "例え.テスト")
    # What was typed, not what looks the same.
    assert Mailbox("jürgen@example.com") != Mailbox("ju\u0308rgen@example.com")


def test_equal_by_value() -> None:
    assert Mailbox("a@example.com") == Mailbox("a@EXAMPLE.com")
    assert hash(Mailbox("a@example.com")) == hash(Mailbox("a@EXAMPLE.com"))
    assert Mailbox("a@example.com") != Mailbox("A@example.com")
    assert Mailbox("a@example.com") != "a@example.com"


@pytest.mark.parametrize(
    "text",
    ["", "bob", "bob@", "@example.com", "a b@example.com", "a@b@c", "a@example.com\r\n", "a\u200b@example.com"],
)
def test_refused_with_a_reason(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w{2,}"):
        Mailbox(text)


def test_lone_surrogate_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogate"):
        Mailbox("a\udc80@example.com")


@pytest.mark.parametrize("wrong", [None, b"a@example.com", 1])
def test_only_text(wrong: object) -> None:
    with pytest.raises(TypeError):
        Mailbox(wrong)  # type: ignore[arg-type]


def test_pickled_and_frozen() -> None:
    mailbox = Mailbox("a@example.com")
    assert pickle.loads(pickle.dumps(mailbox)) == mailbox
    with pytest.raises(AttributeError):
        mailbox.domain = "example.org"  # type: ignore[misc]
