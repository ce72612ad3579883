"""Terminals with ASCII alone: frames keep their cells, words are spelled out, names are not lost."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from pandatui.charset import cell_by_cell, spell_out


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("╭─ a ─╮", "+- a -+"),
        ("│▁█▌▼│", "|_#|v|"),
        ("α 0.1 × β…", "a 0.1 x b."),
        ("\x1b[1m●\x1b[m", "\x1b[1m*\x1b[m"),
    ],
)
def test_frames_and_signs_by_cell(text: str, expected: str) -> None:
    assert cell_by_cell(text) == expected


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs"))))
def test_every_character_takes_the_cells_it_took(text: str) -> None:
    sent = cell_by_cell(text)
    assert sent.isascii()
    narrow = [each for each in text if cell_len(each) == 1]
    if len(narrow) == len(text):
        assert len(sent) == len(text)


class Screen(io.BytesIO):
    """A terminal's side of a stream."""

    def isatty(self) -> bool:
        return True


def test_a_terminals_stream_spells_out_and_a_files_stays_as_it_is() -> None:
    for raw, expected in ((Screen(), b"a x \\u4e2d \\xe9"), (io.BytesIO(), "α × 中 é".encode())):
        stream = io.TextIOWrapper(raw, encoding="utf-8")
        spell_out(stream)
        stream.write("α × 中 é")
        stream.flush()
        assert raw.getvalue() == expected
