"""A job killed anywhere goes on: the same call ends with the files of one that was never killed, and repeats little."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.jobs.test_safety import Killed, operations

import foretide as ft
from foretide.data import pace
from foretide.jobs import fit_model, forecast_folder, judging, run_backtest, searching
from foretide.jobs.forecasting import Ask, run_forecast
from foretide.jobs.searching import run_search
from foretide.jobs.status import foreign, read_status
from foretide.tuning import ledger

LSTM: dict[str, Any] = {"LSTM": {"hidden": 4, "epochs": 3, "patience": 3, "steps_per_epoch": 3, "by_step": False}}
ATTENTION: dict[str, Any] = {"Attention": {"epochs": 3, "patience": 3, "steps_per_epoch": 3}}
LAVAR: dict[str, Any] = {"LAVAR": {"epochs": 2, "head_epochs": 2, "latent": 2, "order": 3}}
AUTO: dict[str, Any] = {"Auto": {"candidates": ["SeasonalES", LSTM, {"Ridge": {"input_size": 8}}]}}
CONFIG: dict[str, Any] = {
    "data": {"synthetic": {"args": {"T": 200, "n_series": 2}}}, "h": 3, "input_size": 12, "baselines": False,
    "explain": False, "attention_windows": 0, "name": "s", "threads": 1,
}  # fmt: skip
TABLE = ft.synthetic.hourly(T=160, n_series=1, seed=1).panel
ROLES = dict.fromkeys(("id", "time", "target", "past", "future", "static"))
JOBS: dict[str, Callable[[Path], object]] = {
    "fit": lambda p: fit_model({**CONFIG, "models": [ATTENTION]}, p),
    "fit LAVAR": lambda p: fit_model({**CONFIG, "models": [LAVAR]}, p),
    "run": lambda p: ft.run({**CONFIG, "models": [LSTM, "Drift"]}, output=p),
    "forecast": lambda p: run_forecast(TABLE, Ask(h=3, model=AUTO), ROLES, {}, output=p),
    "backtest": lambda p: run_backtest(
        {**CONFIG, "models": [LSTM, LAVAR], "backtest": {"n_windows": 2, "refit": True}}, output=p
    ),
    "tune": lambda p: run_search(
        {**CONFIG, "models": [LSTM], "search": {"n_trials": 4, "sampler": "random"}}, output=p
    ),
}
TIMES = ("seconds", "mib", "began", "started", "ended", "sha256", "rows_per_second")


@pytest.fixture(autouse=True)
def _every_step_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "is_alive", lambda owner: False)  # the process that was killed is this one
    for job in (judging, forecast_folder, searching):
        monkeypatch.setattr(job, "write", lambda *_: None)  # pages show what is compared here, and take long
    for name in ("LEAST", "SHARE", "COST"):
        monkeypatch.setattr(pace, name, 0.0)


def figures(folder: Path) -> dict[str, object]:
    """What a folder holds, times and pages left out."""
    found: dict[str, object] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = str(path.relative_to(folder))
        if path.name in ("status.json", "manifest.json"):
            found[name] = None
        elif path.suffix == ".json":
            found[name] = list(_facts(json.loads(path.read_text())))
        elif path.suffix == ".parquet":
            table = pd.read_parquet(path)
            found[name] = table[[c for c in table.columns if not any(t in c for t in TIMES)]].to_csv()
        else:
            found[name] = path.read_bytes() if path.suffix in (".safetensors", ".yaml") else None
    return found


def _facts(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    last = key.rpartition(".")[2]
    if any(time in last for time in TIMES) or last in ("storage", "versions"):  # a path, and what this process imported
        return
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _facts(one, f"{key}.{name}")
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _facts(one, f"{key}[{number}]")
    else:
        yield key, repr(value)


@pytest.mark.filterwarnings("ignore:Target and region quantiles")  # Optuna, of few trials
@pytest.mark.parametrize("job", JOBS)
def test_a_job_killed_anywhere_goes_on_and_ends_the_same(job: str, tmp_path: Path) -> None:
    with operations(None) as done, known_before_they_are_there(tmp_path / "whole"):
        JOBS[job](tmp_path / "whole")
    whole = figures(tmp_path / "whole")
    for share in SHARES:
        place = tmp_path / str(share)
        with operations(round(share * len(done))), pytest.raises(Killed):
            JOBS[job](place)
        assert foreign(place, read_status(place) or {}) == []  # or the same command would refuse to go on
        JOBS[job](place)
        again = figures(place)
        assert sorted(again) == sorted(whole)
        assert [(name, again[name]) for name in whole if again[name] != whole[name]] == []
        assert not (place / "checkpoints").exists()


@contextmanager
def known_before_they_are_there(folder: Path) -> Iterator[None]:
    """See to it that a folder's status names a file before it appears; else the same command refuses to go on."""
    replace = os.replace

    def watched(source: Any, target: Any) -> None:
        replace(source, target)
        if Path(target).parent == folder and (status := read_status(folder)) is not None:
            assert foreign(folder, status) == []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", watched)
        yield


SHARES = (0.3, 0.6)
