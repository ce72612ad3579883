"""Cells that Python reads as numbers and NumPy does not."""

from __future__ import annotations

import numpy as np
import pytest

from pandatui.data import load


@pytest.mark.parametrize("blank", ["\x1c", "\x1d", "\x1e", "\x1f", "\x85", "\u2003"])
def test_odd_blanks_around_a_number_are_blanks(tmp_path, blank):
    rows = [f"{i},{i % 7}{blank},{'ab'[i % 2]}" for i in range(40)]
    odd, plain = tmp_path / "odd.csv", tmp_path / "plain.csv"
    odd.write_text("x,y,label\n" + "\n".join(rows) + "\n", encoding="utf-8", newline="\n")
    plain.write_text(odd.read_bytes().decode().replace(blank, ""), encoding="utf-8")
    found, expected = load(str(odd)), load(str(plain))
    assert np.array_equal(found.train.inputs[:], expected.train.inputs[:])
