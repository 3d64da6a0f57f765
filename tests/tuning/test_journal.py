"""The journal of a study is Optuna's format; a search at random goes the same way with Optuna and without."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

import foretide as ft
from foretide.errors import ConfigError, MissingExtraError
from foretide.tuning import journal as journals
from foretide.tuning.journal import COMPLETE, FAIL, PRUNED, RUNNING, Journal, _Flock, _OpenLock
from foretide.tuning.pruning import STARTUP, WARMUP, Median
from foretide.tuning.space import Choice, Float, Int

SPACE = {
    "lr": Float(1e-4, 1e-2, True),
    "width": Int(8, 64),
    "act": Choice(("relu", ("a", 1), None)),
    "one": Choice((7,)),
}
SETTINGS = {"lr": 3e-3, "width": 16, "act": ("a", 1), "one": 7}
WITHOUT = """
import json, sys
for name in {hidden!r}:
    sys.modules[name] = None
import foretide as ft
panel = ft.synthetic.hourly(T=260, n_series=1, seed=3).panel
study = ft.tune(["SeasonalES", "LSTM"], panel, h=3, n_trials={{"SeasonalES": 4, "LSTM": 2}}, sampler="random",
                fixed={{"LSTM": {{"epochs": 2, "hidden": 4, "input_size": 12}}}}, storage={storage!r}, name="s")
study.save({folder!r})
print(json.dumps([[row.label, row.state, row.value, {{k: repr(v) for k, v in row.settings.items()}}, row.seed]
                  for row in study.rows]))
"""


def read_by_optuna(path: Path, name: str) -> optuna.Study:
    backend = optuna.storages.journal.JournalFileBackend(str(path))
    return optuna.load_study(study_name=name, storage=optuna.storages.JournalStorage(backend))


def test_optuna_reads_the_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "s.journal")
    study = journal.study("s")
    journal.note(study, "about", {"x": 1})
    done = journal.begin(study, SETTINGS, SPACE, {"seed": 4})
    assert journal.end(done, COMPLETE, 0.25)
    cut, failed, open_ = (journal.begin(study, {**SETTINGS, "lr": lr}, SPACE, {}) for lr in (1e-4, 1e-2, 5.0))
    assert journal.note_trial(cut, "end", {"epochs": {"1": 2.0}})
    assert journal.end(cut, PRUNED, 2.0)
    assert journal.end(failed, FAIL, None)
    twin = read_by_optuna(tmp_path / "s.journal", "s")
    assert twin.user_attrs == {"about": {"x": 1}}
    assert [trial.state.name for trial in twin.trials] == [COMPLETE, PRUNED, FAIL, RUNNING]
    first = twin.trials[0]
    assert first.value == 0.25
    assert first.user_attrs == {"seed": 4}
    assert twin.trials[3].params == {}  # outside the space
    assert open_ == 3
    for name, entry in first.distributions.items():
        assert entry == SPACE[name].distribution()
    assert first.params == {k: SPACE[k].encode(v) for k, v in SETTINGS.items() if k != "one"}


def test_a_journal_of_optunas_is_read(tmp_path: Path) -> None:
    path = tmp_path / "s.journal"
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
    twin = optuna.create_study(study_name="s", storage=storage)
    twin.set_user_attr("about", [1, 2])
    twin.optimize(lambda trial: trial.suggest_float("x", 0, 1) ** 2, n_trials=3)
    running = twin.ask()
    running.set_user_attr("seed", 9)
    journal = Journal(path)
    study = journal.study("s")
    assert journal.attrs(study) == {"about": [1, 2]}
    found = journal.trials(study)
    assert [trial.state for trial in found] == [COMPLETE] * 3 + [RUNNING]
    assert [trial.value for trial in found[:3]] == [trial.value for trial in twin.trials[:3]]
    assert found[3].attrs == {"seed": 9}
    lengths = [(t.ended - t.begun).total_seconds() for t in found[:3] if t.ended is not None]
    np.testing.assert_allclose(lengths, [t.duration.total_seconds() for t in twin.trials[:3] if t.duration], atol=1e-3)
    assert journal.end(3, FAIL, None)
    assert not journal.end(3, COMPLETE, 1.0)
    assert not journal.note_trial(3, "late", 1)
    assert [trial.state.name for trial in read_by_optuna(path, "s").trials][3] == FAIL


@pytest.mark.parametrize("lock", [_Flock, _OpenLock])
def test_two_writers_see_each_other(lock: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "lock_of", lambda path: lock(path.with_name(f"{path.name}.lock")))
    one, two = (Journal(tmp_path / "s.journal") for _ in range(2))
    study = one.study("s")
    assert two.study("s") == study
    numbers = [writer.begin(study, {}, {}, {"k": k}) for k in range(10) for writer in (one, two)]
    assert numbers == list(range(20))
    assert [trial.attrs for trial in one.trials(study)] == [trial.attrs for trial in two.trials(study)]
    assert one.end(3, COMPLETE, 1.0)
    assert not two.end(3, PRUNED, 2.0)
    # A line that is being written is not there yet; one that was never finished is cut off by the next who opens it.
    with (tmp_path / "s.journal").open("ab") as file:
        file.write(b'{"op_code":4,"study')
    assert len(one.trials(study)) == 20
    three = Journal(tmp_path / "s.journal")
    assert three.begin(study, {}, {}, {}) == 20
    assert len(read_by_optuna(tmp_path / "s.journal", "s").trials) == 21


def test_a_lock_is_held_by_one_and_a_forgotten_one_is_taken_over(tmp_path: Path) -> None:
    lock, inside, most = tmp_path / "x.lock", [0], [0]

    def work() -> None:
        for _ in range(10):
            own = _OpenLock(lock)
            own.acquire()
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.001)
            inside[0] -= 1
            own.release()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    lock.touch()
    os.utime(lock, (0, 0))
    _OpenLock(lock).acquire()
    assert lock.exists()


def test_the_median_stops_what_optunas_stops() -> None:
    draws = np.random.default_rng(5)
    decided = []
    for case in range(30):
        curves = [
            {e: float(draws.normal(3 / (e + 1), 0.3)) for e in range(1, int(draws.integers(2, 12)))}
            for _ in range(int(draws.integers(3, 12)))
        ]
        twin = optuna.create_study(
            pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=WARMUP)
        )  # fmt: skip
        for curve in curves:
            twin.add_trial(optuna.trial.create_trial(value=0.0, intermediate_values=curve))
        trial, judge = twin.ask(), Median(curves)
        for epoch in range(1, 14):
            value = float(draws.normal(3 / (epoch + 1) + 0.5 * (case % 3), 0.3))
            trial.report(value, epoch)
            assert judge.stops(epoch, value) == trial.should_prune(), (case, epoch)
            decided.append(trial.should_prune())
    assert 0.1 < np.mean(decided) < 0.9


def test_random_draws_lie_in_the_space_and_reach_all_of_it() -> None:
    draws = np.random.default_rng(0)
    lrs = np.array([SPACE["lr"].draw(draws) for _ in range(4000)], dtype=float)
    assert ((lrs >= 1e-4) & (lrs <= 1e-2)).all()
    np.testing.assert_allclose((lrs < 1e-3).mean(), 0.5, atol=0.03)  # evenly in the logarithm
    whole = [Int(2, 5).draw(draws) for _ in range(4000)]
    np.testing.assert_allclose(np.bincount(whole, minlength=6)[2:] / 4000, 0.25, atol=0.03)
    assert {Int(1, 100, True).draw(draws) for _ in range(20000)} == set(range(1, 101))
    assert {Choice(("a", None, (1, 2))).draw(draws) for _ in range(100)} == {"a", None, (1, 2)}
    assert Float(2.0, 2.0).draw(draws) == 2.0


def searched(folder: Path, *, hidden: list[str]) -> tuple[list[Any], Path]:
    storage = folder / "s.journal"
    code = WITHOUT.format(hidden=hidden, storage=str(storage), folder=str(folder))
    if not hidden:
        with redirect_stdout(io.StringIO()) as printed:
            exec(code, {})
        return json.loads(printed.getvalue()), storage
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    rows: list[Any] = json.loads(done.stdout)
    return rows, storage


def test_a_random_search_is_the_same_without_optuna(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with_it, first = searched(tmp_path / "a", hidden=[])
    without, second = searched(tmp_path / "b", hidden=["optuna", "sqlalchemy"])
    assert with_it == without
    assert [row[0] for row in without].count("SeasonalES") == 4
    assert [row[0] for row in without].count("LSTM") == 2
    assert {row[1] for row in without} == {"complete"}
    assert len(read_by_optuna(second, "s/SeasonalES").trials) == len(read_by_optuna(first, "s/SeasonalES").trials) == 4
    saved = json.loads((tmp_path / "b" / "study.json").read_text())
    assert "optuna" not in saved["versions"]
    assert "optuna" in json.loads((tmp_path / "a" / "study.json").read_text())["versions"]
    # It goes on where it stopped, whoever is installed by then.
    again, _ = searched(tmp_path / "b", hidden=[])
    assert again == without


def test_what_needs_optuna_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = ft.synthetic.hourly(T=120, n_series=1, seed=3).panel
    monkeypatch.setitem(sys.modules, "optuna", None)
    for options in ({}, {"sampler": "random", "pruner": "hyperband"}):
        with pytest.raises(MissingExtraError, match=r"foretide\[tune\].*sampler='random' \(--sampler random\)"):
            ft.tune("SeasonalES", panel, h=3, n_trials=2, storage="memory", **options)  # type: ignore[arg-type]
    with pytest.raises(MissingExtraError, match="The storage 'sqlite:///x.db' needs"):
        ft.tune("SeasonalES", panel, h=3, n_trials=2, storage="sqlite:///x.db", sampler="random")
    study = ft.tune("SeasonalES", panel, h=3, n_trials=3, storage="memory", sampler="random", baselines=False)
    assert len(study.rows) == 3
    assert study.all_importances() == {}
    with pytest.raises(MissingExtraError, match="optuna"):
        study.importances()
    assert study.verdict()
    assert study._repr_html_()


def test_trials_by_class() -> None:
    panel = ft.synthetic.hourly(T=120, n_series=1, seed=3).panel
    study = ft.tune(
        ["SeasonalES", "WindowMean"], panel, h=3, n_trials={"SeasonalES": 4, "WindowMean": 2}, storage="memory",
        baselines=False,
    )  # fmt: skip
    assert study.trials["model"].value_counts().to_dict() == {"SeasonalES": 4, "WindowMean": 2}
    for wrong, message in (
        ({"SeasonalEs": 1}, "Did you mean 'SeasonalES'"),
        ({"SeasonalES": 1}, "says nothing of WindowMean"),
        ({"SeasonalES": 0, "WindowMean": 1}, "at least 1"),
    ):
        with pytest.raises(ConfigError, match=message):
            ft.tune(["SeasonalES", "WindowMean"], panel, h=3, n_trials=wrong, storage="memory")
