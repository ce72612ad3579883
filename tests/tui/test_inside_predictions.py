"""View 4 as a pure picture: regions with their points, confusion with its numbers, mistakes, scores."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from textual.strip import Strip

from pandatui.data import Dataset, load
from pandatui.training import Run, RunConfig
from pandatui.training.predictions import Mistakes, Regions
from pandatui.training.setup import RunOptions, prepare
from pandatui.tui.canvas import Cells, Ink, Palette
from pandatui.tui.inside.hues import hues
from pandatui.tui.inside.plane import plane_width
from pandatui.tui.inside.predictions import PredictionsLook, draw_predictions, look_at
from pandatui.tui.themes import THEMES

PALETTE = Palette("#101010", "#ffffff", "#808080", "#0000ff", "#ffff00", "#00ff00", "#ff0000", "#777777")
SIZES = [(118, 23), (78, 17), (40, 11), (12, 4), (2, 1)]


def lines(strips: list[Strip]) -> list[str]:
    return ["".join(segment.text for segment in strip) for strip in strips]


def drawn(
    look: PredictionsLook,
    size: tuple[int, int] = (118, 23),
    *,
    unicode: bool = True,
    colour: bool = True,
    second: bool = False,
) -> list[Strip]:
    cells = Cells(*size, Ink("#ffffff"), unicode=unicode)
    draw_predictions(cells, look, PALETTE, colour=colour, second=second)
    strips = cells.strips(PALETTE.background)
    assert [strip.cell_length for strip in strips] == [size[0]] * size[1]
    return strips


def missed(confusion: list[list[int]] | np.ndarray, pictures: int = 0) -> Mistakes:
    counts = np.array(confusion, np.intp)
    each = np.arange(pictures) % len(counts)
    share = np.linspace(0.01, 0.3, pictures)
    return Mistakes(
        counts, np.arange(pictures), each, (each + 1) % len(counts), share, 0.9 - share, np.empty(0, np.intp)
    )


def look_of(
    confusion: list[list[int]] | np.ndarray,
    classes: tuple[str, ...] | None = None,
    pictures: np.ndarray | None = None,
) -> PredictionsLook:
    found = missed(confusion, 0 if pictures is None else len(pictures))
    names = classes or tuple(map(str, range(len(confusion))))
    total = int(found.confusion.sum())
    return PredictionsLook(names, found, total, total, pictures=pictures)


# -- the plane -----------------------------------------------------------------------------------------------


def quarters(rows: int, columns: int) -> Regions:
    """Left class 0, right class 1, in the unit square; sure at the top, not at all at the bottom."""
    winner = np.zeros((rows, columns), np.intp)
    winner[:, columns // 2 :] = 1
    certainty = np.repeat(np.linspace(1.0, 0.5, rows)[:, None], columns, axis=1)
    return Regions(winner, certainty, (0.0, 1.0, 0.0, 1.0))


def plane_look(predicted: list[int], *, rows: int = 20, columns: int = 40) -> PredictionsLook:
    points = np.array([[0.1, 0.88], [0.9, 0.88], [0.501, 0.5]])
    found = Mistakes(
        np.array([[1, 1], [0, 1]]), *([np.empty(0, np.intp)] * 3), *([np.empty(0)] * 2), np.array(predicted)
    )
    return PredictionsLook(
        ("red", "blue"), found, 3, 3, quarters(rows, columns), points, np.array([0, 1, 0], np.intp)
    )


def test_points_stand_where_they_are_and_regions_are_their_class_s() -> None:
    text = lines(drawn(plane_look([0, 1, 0])))
    assert text[0].startswith(" 66.7% right  2 of 3")
    assert text[2][4] == text[2][36] == "•"
    assert any("■ red" in line for line in text)
    assert any("✖ one that is missed" in line for line in text)


def test_a_point_is_missed_by_its_own_prediction_not_by_its_cell_s() -> None:
    """The third point, of class 0, is in a cell that class 1 wins."""
    own_right, own_wrong = (lines(drawn(plane_look([0, 1, said]))) for said in (0, 1))
    assert own_right[6][20] == "•"
    assert own_wrong[6][20] == "✖"


@pytest.mark.parametrize("unicode", [True, False])
def test_without_colour_regions_are_letters_and_points_capitals(unicode: bool) -> None:
    text = lines(drawn(plane_look([0, 1, 1], rows=10), unicode=unicode, colour=False))
    assert set("".join(line[:20] for line in text[1:11])) - {"A", "X", "✖"} == {"a", " "}
    assert "b" in text[1][20:40]
    assert text[2][4] == "A"
    assert text[2][36] == "B"
    assert any("a A red" in line for line in text)


def test_of_a_run_what_is_missed_is_what_evaluation_misses() -> None:
    data = load("spirals")
    run = Run(RunConfig(data="spirals", hidden=(16,), learning_rate=0.3, epochs=8), data)
    while run.ready:
        run.step()
    width = plane_width(118, 23)
    look = look_at(run, width, 44)
    text = lines(drawn(look))
    accuracy = run.network.evaluate(data.dev.inputs, data.dev.labels)[1][0]
    assert text[0].startswith(f" {accuracy:.1%} right")
    crosses = sum(line[:width].count("✖") for line in text)
    wrong = round((1 - accuracy) * len(data.dev))
    assert 0 < crosses <= wrong  # some share a cell
    assert crosses > wrong / 2


# -- confusion -----------------------------------------------------------------------------------------------


TEN = np.eye(10, dtype=int) * 17 + np.eye(10, k=1, dtype=int)


def test_it_fills_the_left_and_its_numbers_stand_under_their_class() -> None:
    text = lines(drawn(look_of(TEN)))
    assert "down: what it is · across: what was said" in text[1]
    heads = text[2][:64].split()
    assert heads[:10] == [str(i) for i in range(10)]
    rows = [line for line in text[3:] if re.match(r" \d ", line)]
    assert len(rows) == 10
    for i, row in enumerate(rows):
        place = text[2].index(str(i))
        assert row[place - 1 : place + 2].strip() == "17"
        assert row[:64].split()[0] == str(i)
    assert max(text[2][:64].index("9"), 0) > 50


def test_the_head_is_not_written_over() -> None:
    for size in ((118, 23), (78, 17), (70, 20)):
        for pictures in (None, np.zeros((9, 8, 8))):
            text = lines(drawn(look_of(TEN, pictures=pictures), size))
            assert text[0].startswith(" 95.0% right  170 of 179")
            assert "across: said" in text[1] or "across: what was said" in text[1]
            assert ("the worst mistakes" in text[1]) == (pictures is not None)


def test_shade_tells_how_many_and_red_what_is_wrong() -> None:
    strips = drawn(look_of([[9, 1], [5, 5]], ("a", "b")))
    backs = {
        segment.text.strip(): segment.style.bgcolor.name
        for strip in strips[3:]
        for segment in strip
        if segment.text.strip().isdigit() and segment.style.bgcolor is not None
    }
    right, wrong = backs["9"], backs["1"]
    assert int(right[5:], 16) > int(right[1:3], 16)  # bluer than red
    assert int(wrong[1:3], 16) > int(wrong[5:], 16)
    plain = drawn(look_of([[9, 1], [5, 5]]), colour=False)
    assert all(
        segment.style.bgcolor is None or segment.style.bgcolor.name == "#101010"
        for strip in plain
        for segment in strip
        if segment.style is not None
    )


def test_of_many_classes_a_map_on_which_no_mistake_is_lost() -> None:
    counts = np.eye(120, dtype=int) * 50
    counts[100, 3] = 50
    strips = drawn(look_of(counts))
    text = lines(strips)
    assert text[2].split()[:2] == ["0", "119"]
    low = [i for i, line in enumerate(text) if "▀" in line][int(20 * 100 / 120)]
    row = [segment for segment in strips[low] if "▀" in segment.text]
    assert any(s.style.color.name != "#101010" or s.style.bgcolor.name != "#101010" for s in row[:2])
    assert any("worst of 120 classes" in line for line in text)


def test_in_a_map_of_few_rows_every_class_is_as_large_as_the_others() -> None:
    text = lines(drawn(look_of(np.eye(7, dtype=int)), (20, 11), unicode=False, colour=False))
    assert [line.strip() for line in text[2:10]] == ["0     6", "0 #", *["#"] * 5, "6       #"]
    assert [line.index("#") for line in text[3:10]] == list(range(3, 10))
    odd = drawn(look_of(np.eye(9, dtype=int), tuple(f"class {i}" for i in range(9))), (20, 9))
    assert [line.strip("▀ ") for line in lines(odd)[2:9]] == ["1       9", "1", "", "", "", "9", ""]


@pytest.mark.parametrize(("unicode", "colour"), [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("classes", [2, 10, 40, 150])
def test_any_number_of_classes_at_any_size(
    size: tuple[int, int], classes: int, unicode: bool, colour: bool
) -> None:
    names = tuple(f"a long name of the class number {i}" for i in range(classes))
    counts = np.random.default_rng(1).integers(0, 2_000, (classes, classes))
    for pictures in (None, np.random.default_rng(2).random((40, 28, 28))):
        for second in (False, True):
            look = look_of(counts, names, pictures)
            text = lines(drawn(look, size, unicode=unicode, colour=colour, second=second))
            assert unicode or all(line.isascii() for line in text)


# -- what stands beside it -----------------------------------------------------------------------------------


def test_precision_and_recall_are_those_of_the_counts() -> None:
    text = "\n".join(lines(drawn(look_of([[8, 2, 0], [4, 6, 0], [1, 0, 0]], ("cat", "dog", "bird")))))
    assert re.search(r"cat +61\.5% +80\.0%", text)  # 8 of 13, 8 of 10
    assert re.search(r"dog +75\.0% +60\.0%", text)
    assert re.search(r"bird +– +0\.0%", text)  # never said
    assert re.search(r"4 × dog for cat\s.*\n.*2 × cat for dog", text)


def test_pictures_have_both_labels_with_their_probabilities() -> None:
    pictures = np.zeros((9, 8, 8))
    pictures[:, 2:6, 2:6] = 1
    text = lines(drawn(look_of(TEN, pictures=pictures)))
    whole = "\n".join(text)
    assert "is 0 · 1%" in whole
    assert "said 1 · 89%" in whole
    assert whole.count("said ") >= 6
    assert sum("▀" in line[66:] for line in text) >= 8


def test_an_image_is_drawn_as_it_is() -> None:
    """A bright quarter of an 8×8 image at twice its size, in half-blocks."""
    picture = np.zeros((1, 8, 8))
    picture[0, :4, :4] = 1
    strips = drawn(look_of([[1, 1], [0, 1]], ("a", "b"), picture), (40, 14), second=True)
    rows = [strip for strip in strips if any("▀" in segment.text for segment in strip)]
    bright = [
        sum(len(s.text) for s in row if s.style.color.name == "#ffffff" and "▀" in s.text) for row in rows
    ]
    assert len(rows) >= 8
    assert set(bright[: len(rows) // 2]) == {len(rows)}
    assert set(bright[len(rows) // 2 :]) == {0}


def test_no_mistakes() -> None:
    assert any(
        "no mistakes" in line
        for line in lines(drawn(look_of(np.eye(3, dtype=int), pictures=np.zeros((0, 8, 8)))))
    )


def test_colours_images_are_their_brightness(
    new_run: Callable[..., Run], dataset: Callable[..., Dataset]
) -> None:
    from dataclasses import replace

    data = replace(dataset(30, features=12), image_shape=(2, 2, 3))
    run = new_run(data)
    look = look_at(run, 10, 10)
    assert look.pictures is not None
    wrong = look.missed.rows[0]
    assert np.allclose(look.pictures[0], data.dev.inputs[wrong].reshape(2, 2, 3).mean(axis=2))


def test_names_are_plain(new_run: Callable[..., Run], dataset: Callable[..., Dataset]) -> None:
    from dataclasses import replace

    look = look_at(new_run(replace(dataset(30), classes=("a\x1b[31m", "b\n", "漢字"))), 10, 10)
    text = "".join(lines(drawn(look)))
    assert "\x1b" not in text
    assert "\n" not in text


def test_while_it_trains_a_moment_s_rows_are_looked_at(new_run, dataset, monkeypatch) -> None:
    run = new_run(dataset(30))
    monkeypatch.setattr("pandatui.training.predictions._LEAST_ROWS", 5)
    monkeypatch.setattr("pandatui.training.predictions._WORK", 0)
    look = look_at(run, 10, 10)
    assert (look.examined, look.rows) == (5, 8)
    assert look.missed.confusion.sum() == 5
    assert "of 5 (the first of 8)" in lines(drawn(look))[0]
    while run.ready:
        run.step()
    assert look_at(run, 10, 10).examined == 8


# -- colours -------------------------------------------------------------------------------------------------


def luminance(color: str) -> float:
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_classes_have_colours_that_can_be_read_and_told_apart(theme) -> None:
    palette = Palette(
        theme.background, theme.foreground, "#808080", theme.primary, theme.secondary, theme.accent,
        theme.error, "#808080",
    )  # fmt: skip
    found = hues(12, palette)
    assert found[:3] == (theme.primary, theme.secondary, theme.accent)
    assert len(set(hues(24, palette))) == 24
    for color in found:
        one, other = sorted((luminance(color), luminance(theme.background)))
        assert (other + 0.05) / (one + 0.05) >= 3  # WCAG 2.2, 1.4.11
    eight = [np.array([int(c[i : i + 2], 16) for i in (1, 3, 5)]) for c in (*found[:8], theme.error)]
    assert min(np.abs(a - b).sum() for i, a in enumerate(eight) for b in eight[:i]) > 40
    assert hues(3, palette) == found[:3]


def test_colours_of_the_terminal_s_own_are_left_as_they_are() -> None:
    assert hues(4, Palette("default", "white", "grey", "ansi_blue", "b", "c", "d", "e"))[0] == "ansi_blue"


# -- mapped data ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(2,), (4, 4)])
def test_of_a_mapped_file_it_shows_what_it_shows_of_one_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(3, size=300)
    np.save(tmp_path / "X.npy", (rng.normal(7, 2, (300, *shape)) + labels.reshape(-1, *[1] * len(shape))))
    np.save(tmp_path / "y.npy", labels)
    looks = []
    for least in (10**12, 1):
        monkeypatch.setattr("pandatui.data.mapped.MAPPED_FROM", least)
        run = Run(*prepare(RunOptions(data=str(tmp_path), hidden=(6,), epochs=2)))
        assert isinstance(run.dataset.dev.inputs, np.ndarray) == (least > 1)
        while run.ready:
            run.step()
        looks.append(look_at(run, 30, 20))
    one, other = looks
    assert np.array_equal(one.missed.confusion, other.missed.confusion)
    assert lines(drawn(one)) == lines(drawn(other))
    assert (one.pictures is None) == (len(shape) == 1)
    assert (one.plane is None) == (len(shape) > 1)
