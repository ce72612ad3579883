"""The one way of a string to a terminal: nothing passes that a terminal would act on."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandatui.plain import plain


@pytest.mark.parametrize(
    "text",
    ["", "digits", "brave-otter · α₀ × 10⁻¹ ≥ ½", "größe", "日本語 データ", "a[/b]", "🐼", "−∞ … ●✖━"],
)
def test_what_is_harmless_passes(text):
    assert plain(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "�[31mred�[0m"),
        ("\x1b]0;title\x07", "�]0;title�"),
        ("\x9b2J", "�2J"),
        ("a\0b", "a�b"),
        ("one\ntwo\r\x0b\x0c\tthree", "one�two����three"),
        ("\x85\u2028\u2029", "���"),
        ("\u202eevil\u2066", "�evil�"),
        ("zero\u200bwidth\ufeff", "zero�width�"),
        ("\udcff\ud800", "��"),
        ("\ue000", "�"),
        ("\x7f\x08", "��"),
        ("Z\u0351\u0352\u0353", "Z���"),
    ],
)
def test_what_a_terminal_would_act_on_is_replaced(text, shown):
    assert plain(text) == shown


def test_marks_that_compose_are_composed():
    assert plain("u\u0308") == "ü"


@pytest.mark.parametrize("limit", [1, 2, 10, 200])
def test_what_is_too_long_is_cut(limit):
    assert plain("x" * limit, limit) == "x" * limit
    assert plain("x" * (limit + 1), limit) == "x" * (limit - 1) + "…"
    assert len(plain("x" * 10**6, limit)) == limit
    assert len(plain("\u0958" * 10**4, limit)) <= limit  # NFC makes two of it


@given(st.text(), st.integers(1, 50))
def test_any_text_comes_out_on_one_line_within_the_limit(text, limit):
    shown = plain(text, limit)
    assert len(shown) <= limit
    for c in shown:
        assert unicodedata.category(c)[0] != "C"
        assert unicodedata.category(c) not in ("Zl", "Zp", "Mn", "Me")
    assert plain(shown, limit) == shown
