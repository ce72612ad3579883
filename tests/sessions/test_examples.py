"""The recorded examples are whole, and on the machine that made them they train again to the same bits."""

from pathlib import Path

import pytest

from pandatui.sessions.replay import data_of, rerun, verify
from pandatui.sessions.store import read

EXAMPLES = sorted((Path(__file__).parents[2] / "sessions").glob("example-*.json"))


def test_there_are_examples():
    assert len(EXAMPLES) >= 2


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_whole_and_trains_again(path):
    session, whole = read(path)
    assert whole
    verdict = verify(session, rerun(session, data_of(session, None, trusted=True)))
    assert verdict.identical or verdict.environment, "differs where the arithmetic is the same"
