"""View 2 as a pure picture: what is wrong in words, a row a layer, nothing beside its head."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

import numpy as np
import pytest
from textual.strip import Strip

from pandatui.data import Dataset
from pandatui.training import Run
from pandatui.training.diagnostics import LayerHealth, troubles
from pandatui.tui.canvas import Palette
from pandatui.tui.inside.layers import LayersLook, draw_layers, layers_of

PALETTE = Palette("#101010", "#ffffff", "#808080", "#0000ff", "#ffff00", "#00ff00", "#ff0000", "#777777")
SIZES = [(118, 23), (78, 17), (40, 11), (20, 5), (3, 1)]


def lines(strips: list[Strip]) -> list[str]:
    return ["".join(segment.text for segment in strip) for strip in strips]


def colours(strips: list[Strip], text: str) -> set[str]:
    """The colours that a text is written in."""
    return {
        segment.style.color.name
        for strip in strips
        for segment in strip
        if text in segment.text and segment.style is not None and segment.style.color is not None
    }


def health(name: str, **figures: float) -> LayerHealth:
    normed = {"lag": 0.1, "spread_ratio": 1.0} | figures
    plain = {
        "mean": 0.5,
        "spread": 1.25,
        "dead": 0.25,
        "saturated": math.nan,
        "gradient": 0.1,
        "update": -3.0,
    }
    return LayerHealth(name, 16, 64, scale=(0.9, 1.1), shift=(-0.2, 0.2), **(plain | normed))


def looked(*layers: LayerHealth) -> LayersLook:
    return LayersLook(5, layers, troubles(layers))


def drawn(look: LayersLook, size: tuple[int, int], *, unicode: bool = True) -> list[Strip]:
    past = {layer.name: deque([(-1.0, -3.0), (-2.0, -3.5), (0.0, -2.0)]) for layer in look.layers}
    strips = draw_layers(look, past, *size, PALETTE, unicode=unicode)
    assert [strip.cell_length for strip in strips] == [size[0]] * size[1]
    return strips


def deep(
    new_run: Callable[..., Run], dataset: Callable[..., Dataset], steps: int = 20, **settings: object
) -> Run:
    run = new_run(dataset(200), hidden=(12,) * 10, batch_norm=False, batch_size=32, epochs=999, **settings)
    while run.steps < steps and run.ready:
        run.step()
    return run


TWO = looked(health("hidden 1"), health("output", gradient=0.01, update=-5.0, dead=math.nan))


def test_two_tables_where_there_is_room() -> None:
    text = lines(drawn(TWO, (118, 23)))
    assert text[0].startswith(" ● nothing vanishes, explodes or sleeps, test mode keeps up")
    assert sum(line.startswith(" hidden 1") for line in text) == 2
    whole = "\n".join(text)
    for words in ("what goes into", "what flows back", "0.90 … 1.10", "0.50 ± 1.25", "25% dead"):
        assert words in whole
    assert "in step: 0.10 σ off, spread ×1.00" in whole
    assert "healthy: log10 of update/weight −4 … −2" in whole
    assert "the last 3 looks; it is looked at only while this view is shown" in whole


def test_every_figure_stands_under_its_head() -> None:
    text = lines(drawn(TWO, (118, 23)))
    head, row = next((text[i], text[i + 1]) for i, line in enumerate(text) if "shift" in line)
    for name, figure in (
        ("mean", "0.50"),
        ("asleep", "25%"),
        ("scale", "0.90"),
        ("shift", "−0.20"),
        ("test", "in s"),
    ):
        assert head.index(name) == row.index(figure)
    assert head.index("units") + len("units") <= row.index("16") + 2


def test_the_gauge_marks_its_healthy_neighbourhood() -> None:
    strips = drawn(TWO, (118, 23))
    text = lines(strips)
    first = next(i for i, line in enumerate(text) if "−6" in line)
    head, good, bad = text[first : first + 3]
    assert (
        head.index("−4") + 1 == good.index("═") == good.rindex("═") - (head.rindex("−2") - head.index("−4"))
    )
    assert "═" in good[: good.index("●")]
    assert "═" in good[good.index("●") :]
    assert bad.index("●") < bad.index("═")
    assert colours(strips, "−5.0") == {"#ff0000"}
    assert colours(strips, "−3.0") == {"#ffffff"}


def test_bars_are_on_one_log_scale() -> None:
    """Of 0.001 … 1 a tenth is two thirds, a hundredth one third."""
    look = looked(*(health(f"hidden {i}", gradient=10.0**-i) for i in (1, 2)), health("output", gradient=1.0))
    look = LayersLook(5, (*look.layers[:2], health("hidden 3", gradient=1.001e-3), look.layers[2]), ())
    text = lines(drawn(look, (118, 23)))
    bars = [line.count("█") for line in text if "█" in line and "layer" not in line]
    one, tenth, hundredth = bars[3], bars[0], bars[1]
    assert tenth == pytest.approx(one * 2 / 3, abs=1.5)
    assert hundredth == pytest.approx(one / 3, abs=1.5)
    assert any("0.001" in line and "log scale" in line for line in text)


@pytest.mark.parametrize("unicode", [True, False])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("layers", [1, 3, 11, 33])
def test_any_number_of_layers_at_any_size(size: tuple[int, int], layers: int, unicode: bool) -> None:
    each = [health(f"hidden {i}") for i in range(1, layers)]
    text = lines(drawn(looked(*each, health("output", gradient=1e-9)), size, unicode=unicode))
    if size[0] >= 40:
        assert any(line.startswith(" output") for line in text)
        assert "explode" in text[0] or layers == 1
    assert unicode or all(line.isascii() for line in text)


def test_of_many_layers_the_first_and_the_last_are_shown() -> None:
    look = looked(*(health(f"hidden {i}") for i in range(1, 33)), health("output"))
    text = lines(drawn(look, (118, 23)))
    names = [line[1:11].strip() for line in text[2:-1]]
    assert names[0] == "hidden 1"
    assert names[-1] == "output"
    gap = next(line for line in text if "layers between" in line)
    assert 33 - int(gap.split()[1]) == sum(name.startswith(("hidden", "output")) for name in names)


def test_sigmoids_in_a_deep_net_vanish(new_run: Callable[..., Run], dataset: Callable[..., Dataset]) -> None:
    look = layers_of(deep(new_run, dataset, activation="sigmoid"))
    text = lines(drawn(look, (118, 23)))
    assert text[0].startswith(" ▲ hidden 1–")
    assert "gradients vanish, down to " in text[0]
    share = look.layers[0].gradient / look.layers[-1].gradient
    assert share < 1e-3


def test_too_large_weights_in_a_deep_net_explode(
    new_run: Callable[..., Run], dataset: Callable[..., Dataset]
) -> None:
    run = deep(new_run, dataset, steps=0)
    for i in range(2, 11):
        run.network.views[f"W{i}"][...] *= 6
    text = lines(drawn(layers_of(run), (118, 23)))
    assert text[0].startswith(" ▲ hidden 1")
    assert "updates explode, a step is up to " in text[0]


def test_units_that_never_wake_are_said(new_run: Callable[..., Run], dataset: Callable[..., Dataset]) -> None:
    run = deep(new_run, dataset, steps=0)
    run.network.views["b4"][...] = -1e3
    text = "\n".join(lines(drawn(layers_of(run), (118, 23))))
    assert "of their units are dead, 0 for every example" in text
    assert "100% dead" in text


def test_weights_that_are_no_numbers_are_said(
    new_run: Callable[..., Run], dataset: Callable[..., Dataset]
) -> None:
    run = deep(new_run, dataset, steps=0)
    run.network.views["W5"][...] = np.nan
    look = layers_of(run)
    for size in SIZES:
        for unicode in (True, False):
            drawn(look, size, unicode=unicode)
    text = lines(drawn(look, (118, 23)))
    assert "what comes back is no number any more" in text[0]
    assert "nan" not in "\n".join(text)


def test_a_net_that_diverges_shows_what_it_last_was(
    new_run: Callable[..., Run], dataset: Callable[..., Dataset]
) -> None:
    run = deep(new_run, dataset, steps=500, learning_rate=50.0)
    assert run.status == "diverged"
    text = lines(drawn(layers_of(run), (118, 23)))
    assert text[0].startswith(" ▲ ")
