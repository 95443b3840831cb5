"""How the demo speaks: coloured for people, plain for files, and a miss with both sides of it."""
import io

import pytest

from deploy.dev.teller import Miss, Teller, shortened


class Terminal(io.StringIO):
    def isatty(self):
        return True


def told(out):
    teller = Teller(out)
    teller.step("Ada signs up", "SignupWithPhoneNumber")
    teller.expect("the answer", 42, 42)
    return out.getvalue()


@pytest.fixture(autouse=True)
def ordinary_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_it_is_coloured_on_a_terminal():
    assert "\033[" in told(Terminal())


def test_it_is_plain_in_a_file():
    assert told(io.StringIO()) == "\n1. Ada signs up  SignupWithPhoneNumber\n   ok  the answer\n"


@pytest.mark.parametrize("name, value", [("NO_COLOR", ""), ("NO_COLOR", "1"), ("TERM", "dumb")])
def test_it_is_plain_where_colour_is_not_wanted(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert "\033[" not in told(Terminal())


def test_a_miss_tells_what_was_expected_and_what_was_found():
    with pytest.raises(Miss, match=r"(?s)the answer.*expected +42.*found +41"):
        Teller(io.StringIO()).expect("the answer", 41, 42)


def test_a_token_is_shown_in_part_only():
    assert shortened("abcdefghijklmnopqrstuvwxyz") == "abcdefghijkl... (26 characters)"
    assert shortened("short") == "short"
