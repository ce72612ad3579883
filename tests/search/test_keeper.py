"""A study on disk: broken off at any moment it goes on, repeats nothing that has ended, and ends the same."""

from __future__ import annotations

import errno
import itertools
import shutil

import pytest

from pandatui.search import keeper as module
from pandatui.search.cohort import train_slice
from pandatui.search.keeper import default_name, finished_study, open_study
from pandatui.search.race import Leave, NextRound, SetBox, StopRound, StopTrial
from pandatui.search.setup import prepare
from pandatui.search.shelf import delete, find, look, read, studies, study_path
from pandatui.search.space import Dimension, Space
from pandatui.search.spec import Spec
from pandatui.sessions import SessionError, Store
from pandatui.sessions.journal import Journal
from pandatui.sessions.lock import Held
from pandatui.training.setup import RunOptions


class Spy:
    """A ledger that hands on to a keeper, and calls `then(keeper)` after each entry."""

    def __init__(self, keeper, then):
        self.keeper, self.then = keeper, then

    def began(self, made):
        self.keeper.began(made)
        self.then(self.keeper)

    def ended(self, trials):
        self.keeper.ended(trials)
        self.then(self.keeper)

    def decided(self, of, epoch, dropped):
        self.keeper.decided(of, epoch, dropped)
        self.then(self.keeper)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def put_back(folder, content):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, raw in content.items():
        (folder / name).write_bytes(raw)


SHAPES = (
    {"halving": True, "run": RunOptions(data="xor", hidden=(4,), epochs=8)},
    {"space": "wide"},
    {"sampling": "grid", "trials": 48, "seeds": 2, "rounds": 2},
    {"sampling": "neighbours", "rounds": 1, "seeds": 2},
    {"objective": "best_dev_cost", "run": RunOptions(data="xor", hidden=(4,), epochs=40, learning_rate=3.0)},
)


@pytest.mark.parametrize("settings", SHAPES)
def test_broken_off_after_any_entry_it_ends_the_same_and_repeats_nothing(
    settings, tmp_path, new_ready, new_race, finish, table
):
    ready = new_ready(**settings)
    seen = []
    opened = open_study(Store(tmp_path / "whole"), ready)
    spy = Spy(opened.keeper, lambda _: seen.append(files(tmp_path / "whole")))
    race = new_race(opened, ready)
    race._ledger = spy
    race.run()
    opened.keeper.close()
    wanted = table(finish(tmp_path / "again", ready))
    assert len(seen) >= 2
    for i, content in enumerate(seen):
        folder = tmp_path / f"broken-{i}"
        put_back(folder, content)
        (path,) = folder.glob("*.study.json")
        stored = look(path)
        assert (stored.status, stored.warning) == ("crashed", "")
        done = {t.number for t in stored.study.trials if t.status != "waiting"}
        begun = set()

        def train(work, begun=begun):
            if work.state is None:
                begun.update(work.configs)
            return train_slice(work)

        study = finish(folder, ready, train)
        assert table(study) == wanted
        assert begun == {t.config for t in study.trials.values() if t.number not in done}
        assert [path.name for path in folder.iterdir()] == [f"{default_name(ready)}.study.json"]
        assert table(finished_study(Store(folder), ready)) == wanted


def test_a_torn_tail_is_forgiven_and_kept_aside(tmp_path, new_ready, new_race, finish, table):
    ready = new_ready()
    opened = open_study(Store(tmp_path / "one"), ready)
    race = new_race(opened, ready)
    seen = []
    race._ledger = Spy(opened.keeper, lambda _: seen.append(files(tmp_path / "one")))
    race.run()
    opened.keeper.close()
    content = dict(seen[-2])
    journal = next(name for name in content if name.endswith(".journal"))
    content[journal] = content[journal][:-9]
    put_back(tmp_path / "two", content)
    again = open_study(Store(tmp_path / "two"), ready)
    assert ".torn-" in again.notes[0]
    new_race(again, ready).run()
    again.keeper.close()
    assert table(again.study) == table(opened.study)


def test_a_damaged_journal_is_refused_and_shown_as_far_as_it_is_whole(tmp_path, new_ready, new_race):
    ready = new_ready()
    opened = open_study(Store(tmp_path), ready)
    race = new_race(opened, ready)
    race._ledger = Spy(opened.keeper, lambda _: race.send(Leave()) if opened.study.trials[1].dev else None)
    race.run()
    opened.keeper.let_go(remove=False)
    path = opened.keeper.path.with_suffix(".journal")
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"\n") + 80] ^= 1
    path.write_bytes(raw)
    with pytest.raises(SessionError, match="damaged at byte"):
        open_study(Store(tmp_path), ready)
    assert "damaged" in look(opened.keeper.path).warning


def test_left_and_gone_on_with(tmp_path, new_ready, new_race, finish, table):
    ready = new_ready()
    wanted = table(finish(tmp_path / "whole", ready))
    for entries in itertools.count(1):
        opened = open_study(Store(tmp_path), ready)
        race = new_race(opened, ready)
        left = iter(range(entries))
        race._ledger = Spy(opened.keeper, lambda _, left=left, race=race: next(left, race.send(Leave())))
        race.run()
        opened.keeper.close()
        status = look(opened.keeper.path).status
        if opened.study.over:
            break
        assert status == "stopped"
        assert not list(tmp_path.glob("*.journal"))
    assert (status, table(opened.study)) == ("finished", wanted)


def test_one_process_at_a_time(tmp_path, new_ready):
    ready = new_ready()
    opened = open_study(Store(tmp_path), ready)
    with pytest.raises(Held, match="trained by process") as held:
        open_study(Store(tmp_path), ready)
    assert held.value.holder.since
    assert look(opened.keeper.path).status == "running"
    with pytest.raises(Held):
        delete(opened.keeper.path)
    opened.keeper.close()
    open_study(Store(tmp_path), ready).keeper.close()


def test_a_name_belongs_to_one_spec(tmp_path, new_ready):
    open_study(Store(tmp_path), new_ready(), "mine").keeper.close()
    with pytest.raises(SessionError, match="'mine' exists in"):
        open_study(Store(tmp_path), new_ready(seed=2), "mine")
    open_study(Store(tmp_path), new_ready(), "mine").keeper.close()


def test_the_name_follows_from_what_is_asked_for_alone(new_ready):
    one, other = new_ready(), new_ready(seed=2)
    assert default_name(one) == default_name(new_ready()) == f"xor-study-{one.fingerprint()[:6]}"
    assert default_name(other) != default_name(one)
    written_out = prepare(Spec(run=RunOptions(data="xor", hidden=(4,), epochs=6, momentum=0.9), trials=9))
    assert default_name(written_out) == default_name(one)


def test_an_edited_study_is_refused(tmp_path, new_ready, finish):
    ready = new_ready()
    finish(tmp_path, ready)
    (path,) = tmp_path.glob("*.study.json")
    path.write_bytes(path.read_bytes().replace(b'"status":"finished"', b'"status":"stopped"', 1))
    assert look(path).edited
    with pytest.raises(SessionError, match="was edited"):
        open_study(Store(tmp_path), ready)


@pytest.fixture
def half(new_ready):
    """The middle half of the first box."""
    return Space(
        tuple(
            Dimension(each.knob, each.scale, each.value(0.25), each.value(0.75))
            for each in new_ready().space.dimensions
        )
    )


def reopened(folder, ready):
    again = open_study(Store(folder), ready)
    again.keeper.close()
    return again.study


@pytest.mark.parametrize("command", [SetBox, NextRound])
def test_a_box_that_a_person_edited_is_on_record_with_its_round(
    command, half, tmp_path, new_ready, new_race, table
):
    ready = new_ready()
    opened = open_study(Store(tmp_path), ready)
    race = new_race(opened, ready)
    race.send(command(half))
    race.run()
    opened.keeper.close()
    assert [made.box == half for made in opened.study.rounds] == [False, True, False]
    assert table(reopened(tmp_path, ready)) == table(opened.study)


def test_a_round_more_and_a_trial_stopped_are_on_record(half, tmp_path, new_ready, new_race, table):
    ready = new_ready()
    opened = open_study(Store(tmp_path), ready)
    race = new_race(opened, ready, stay=True)
    over = iter([NextRound(half), Leave()])
    race._ledger = Spy(opened.keeper, lambda _: race.send(next(over)) if opened.study.over else None)
    race.send(StopTrial(2))
    race.run()
    opened.keeper.close()
    assert [made.box == half for made in opened.study.rounds] == [False, False, False, True]
    assert opened.study.trials[2].status == "stopped"
    study = reopened(tmp_path, ready)
    assert study.over
    assert table(study) == table(opened.study)


def test_a_stopped_round_goes_on_with_the_next(tmp_path, new_ready, new_race):
    ready = new_ready()
    opened = open_study(Store(tmp_path), ready)
    race = new_race(opened, ready)
    race.send(StopRound())
    race.send(Leave())
    race.run()
    opened.keeper.close()
    study = reopened(tmp_path, ready)
    assert {trial.status for trial in study.trials.values()} == {"stopped"}
    assert len(study.rounds) == 1
    assert not study.over


# -- disk faults --


class Disk:
    """Writes that fail while `full`."""

    def __init__(self, monkeypatch):
        self.full = False
        for place, name in ((module, "write_whole"), (Journal, "append")):
            monkeypatch.setattr(place, name, self._failing(getattr(place, name)))

    def _failing(self, write):
        def written(*args, **more):
            if self.full:
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(*args, **more)

        return written


@pytest.mark.parametrize("back", [2, 1000])
def test_a_full_disk_stops_no_race_and_all_is_saved_when_there_is_room(
    back, tmp_path, new_ready, new_race, finish, table, monkeypatch
):
    ready = new_ready(halving=True)
    wanted = table(finish(tmp_path / "whole", ready))
    disk = Disk(monkeypatch)
    opened = open_study(Store(tmp_path), ready)
    race = new_race(opened, ready)
    problems, entries = [], itertools.count()

    def then(keeper):
        problems.append(keeper.problem)
        disk.full = next(entries) < back

    race._ledger = Spy(opened.keeper, then)
    disk.full = True
    race.run()
    assert problems[0] == "not saved: No space left on device"
    assert bool(problems[-1]) == (back == 1000)
    disk.full = False
    opened.keeper.close()
    assert opened.keeper.problem == ""
    assert table(reopened(tmp_path, ready)) == wanted


def test_what_the_disk_never_took_is_trained_again(tmp_path, new_ready, new_race, finish, table, monkeypatch):
    ready = new_ready()
    wanted = table(finish(tmp_path / "whole", ready))
    disk = Disk(monkeypatch)
    opened = open_study(Store(tmp_path), ready)
    disk.full = True
    new_race(opened, ready).run()
    opened.keeper.close()
    assert opened.keeper.problem
    disk.full = False
    assert look(opened.keeper.path).status == "crashed"
    assert table(finish(tmp_path, ready)) == wanted


def test_a_folder_that_goes_away_is_made_again(tmp_path, new_ready, new_race, table):
    ready = new_ready()
    opened = open_study(Store(tmp_path / "kept"), ready)
    race = new_race(opened, ready)
    away = iter([False, True])
    race._ledger = Spy(
        opened.keeper, lambda _: shutil.rmtree(tmp_path / "kept") if next(away, False) else None
    )
    race.run()
    opened.keeper.close()
    assert opened.keeper.problem == ""
    assert table(reopened(tmp_path / "kept", ready)) == table(opened.study)


def test_a_long_journal_is_shortened(tmp_path, new_ready, new_race, table, monkeypatch):
    monkeypatch.setattr(module, "LONG_JOURNAL", 2_000)
    monkeypatch.setattr(module, "PERIOD", 0.0)
    monkeypatch.setattr(module, "SHARE", float("inf"))
    ready = new_ready()
    opened = open_study(Store(tmp_path), ready)
    sizes = []
    race = new_race(opened, ready)
    race._ledger = Spy(
        opened.keeper, lambda _: sizes.append(opened.keeper.path.with_suffix(".journal").stat().st_size)
    )
    race.run()
    opened.keeper.let_go(remove=False)
    assert max(sizes) < 2_000
    assert table(reopened(tmp_path, ready)) == table(opened.study)


# -- the folder --


def test_studies_of_a_folder(tmp_path, new_ready, finish):
    store = Store(tmp_path / "kept")
    assert studies(store) == []
    finish(store.folder, new_ready())
    (store.folder / "bad.study.json").write_text("{}")
    found = {each.name: each for each in studies(store)}
    assert found["bad"].problem.startswith("'bad.study.json': not a pandatui study")
    name = default_name(new_ready())
    assert found[name].status == "finished"
    path = study_path(store, name)
    assert find(store, name) == find(store, str(path)) == path
    assert find(store, "nobody") is find(store, "../x") is find(store, str(store.folder / "x.json")) is None
    assert store.list() == [], "studies are no sessions"


def test_deleting_takes_what_belongs_to_the_study_alone(tmp_path, new_ready, finish):
    store = Store(tmp_path)
    finish(tmp_path, new_ready())
    (path,) = tmp_path.glob("*.study.json")
    name = path.name.removesuffix(".json")
    for left in (f".{name}-{'0' * 16}.tmp", f"{name}.journal.torn-00000000"):
        (tmp_path / left).write_bytes(b"left")
    others = ["other.study.json", f"{name}-2.study.json"]
    for other in others:
        (tmp_path / other).write_bytes(path.read_bytes())
    assert delete(path) == []
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(others)
    assert read(tmp_path / others[0])[1]
    with pytest.raises(SessionError, match="no such file"):
        delete(path)
    (tmp_path / "no.study.json").write_text("[]")
    with pytest.raises(SessionError, match="not a pandatui study"):
        delete(tmp_path / "no.study.json")
    assert store.folder.is_dir()
