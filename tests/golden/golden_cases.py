"""What is recorded: jobs and calls on small data, through public doors alone. Each takes an empty folder."""

from __future__ import annotations

import contextlib
import io
import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd
from reading import Numbers, Words, columns_of, in_order, read_folder, scores_of
from ruamel.yaml import YAML

import foretide as ft

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("FORETIDE_DATA") or ROOT.parent / "shared" / "data")

Case = Callable[[], tuple[Numbers, Words]]
ATTENTION: dict[str, Any] = {"hidden": 16, "heads": 2, "epochs": 1}
COUNTS: dict[str, Any] = {**ATTENTION, "head": "nb"}
AUTO_ETS: dict[str, Any] = {"model": "AutoETS", "alias": "AutoETS"}
LSTM: dict[str, Any] = {"hidden": 16, "epochs": 1}
LAVAR: dict[str, Any] = {"order": 7, "latent": 4, "epochs": 2, "head_epochs": 2}


def foretide(*arguments: str) -> str:
    """Run a command of the command line in this process, and return what it printed."""
    printed = io.StringIO()
    with mock.patch.object(sys, "argv", ["foretide", *arguments]), contextlib.redirect_stdout(printed):
        try:
            runpy.run_module("foretide", run_name="__main__")
        except SystemExit as end:
            if end.code:
                raise RuntimeError(f"foretide {' '.join(arguments)} ended with {end.code}") from end
    return printed.getvalue()


def write(config: dict[str, Any], name: str = "config.yaml") -> str:
    """Write a configuration into this folder."""
    YAML().dump(config, Path(name))
    return name


def demo() -> tuple[Numbers, Words]:
    """``foretide demo``: networks and baselines beside the oracle."""
    foretide("demo", "--quick", "--out", "run")
    return read_folder(Path("run"))


def supplies() -> tuple[Numbers, Words]:
    """``foretide demo supplies``: LAVAR on sparse counts."""
    foretide("demo", "supplies", "--quick", "--out", "run")
    return read_folder(Path("run"))


# ---- examples ----
def example(name: str, rows: int | None = None, last: str | None = None, **changes: Any) -> Case:
    """Return the case of an example on the last rows of its table, up to ``last``; of PBS on every 40th series."""

    def case() -> tuple[Numbers, Words]:
        config = YAML(typ="safe").load(ROOT / "examples" / f"{name}.yaml")
        source = DATA / Path(config["data"]["path"]).name
        config["data"]["path"] = source.name
        if source.suffix == ".parquet":
            table = pd.read_parquet(source)
            table[table["unique_id"].isin(table["unique_id"].unique()[::40])].to_parquet(source.name)
        else:
            lines = source.read_text("utf-8").splitlines()
            body = [line for line in lines[1:] if last is None or line[: len(last)] <= last]
            Path(source.name).write_text("\n".join([lines[0], *body[-(rows or 0) :]]) + "\n", "utf-8")
            config.pop("split", None)
        config = {**config, "name": name, "stride": 12, **changes}
        path = write(config)
        foretide("run", path, "--out", "run")
        return read_folder(Path("run"))

    case.__doc__ = f"``foretide run examples/{name}.yaml`` on a slice of its table."
    return case


# ---- a backtest ----
def backtest_settings() -> dict[str, Any]:
    """Return counts of ten items, and models of every kind: baselines, networks, wrappers."""
    return {
        "name": "backtest",
        "data": {
            "synthetic": {
                "generator": "supplies",
                "args": {"T": 240, "n_targets": 6, "n_covariates": 4, "seed": 1},
            }
        },
        "calendar": {"country": "DE", "subdivision": "BY"},
        "h": 7,
        "input_size": 21,
        "models": [
            {"LSTM": {**LSTM, "head": "nb"}},
            {"LAVAR": LAVAR},
            "Ridge",
            {"WithIntervals": {"model": {"SeasonalES": {}}}},
            {"Conformal": {"model": {"WindowMean": {}}}},
            {"Ensemble": {"models": ["SeasonalES", "SeasonalNaive"], "weights": "validated"}},
        ],
        "backtest": {"n_windows": 12, "step": 5},
    }


def backtest() -> tuple[Numbers, Words]:
    """``foretide backtest`` with one fit: the folder and its page."""
    foretide("backtest", write(backtest_settings()), "--out", "run")
    return read_folder(Path("run"))


def refits() -> tuple[Numbers, Words]:
    """``ft.backtest`` fitted again at every cutoff: the scorecard's own tables and sentences."""
    made = ft.synthetic.hourly(T=400, n_series=2, seed=3)
    panel = ft.Panel.from_wide(made.panel.to_frame(), time="ds", target=["x1", "x2"])
    models = [
        ft.LSTM(h=6, input_size=24, head="gaussian", **LSTM),
        ft.Attention(h=6, input_size=24, **ATTENTION),
        ft.Ridge(h=6, input_size=24),
        ft.VAR(h=6),
        ft.PerEntity(ft.SeasonalMean(h=6, cycles=4), alias="each"),
        ft.WithIntervals(ft.SeasonalES(h=6), alias="with intervals"),
        ft.Conformal(ft.SeasonalNaive(h=6), alias="conformal"),
        ft.Ensemble([ft.LSTM(h=6, input_size=24, **LSTM), ft.SeasonalES(h=6)], alias="blend"),
    ]
    card = ft.backtest(models, panel, n_windows=4, step=7, refit=True)
    blended = card.ensemble(["LSTM", "Ridge"], "weights", name="later blend")
    leader, ranks = card.leaderboard(), card.ranks()
    tables = {
        "folds": card.folds(),
        "fold summary": card.fold_summary(),
        "comparison": card.compare("LSTM", "Ridge", by="series"),
        "ranks": pd.DataFrame({"model": ranks.names, "mean_rank": ranks.mean_ranks}),
        "coverage": card.coverage(80),
        "reliability": card.reliability("LSTM"),
        "skill by series": card.skill_by_series(),
        "mae by weekday and step": card.scores("mae", by=["weekday", "h_step"]),
        "rmse by cutoff": card.scores("rmse", by=["cutoff"]),
        "leaderboard with a blend": blended.leaderboard(),
    }
    numbers: Numbers = {"scores": scores_of(leader), "forecasts": columns_of(in_order(card.to_frame()))}
    numbers |= {f"table {name}": columns_of(table) for name, table in tables.items()}
    return numbers, {"verdict": [card.verdict()], "notes": list(card.notes)}


# ---- a search and an explanation ----
def search() -> tuple[Numbers, Words]:
    """``foretide tune``: a few trials of two classes, the winner judged on the test part."""
    config = {
        "name": "search",
        "data": {"synthetic": {"args": {"T": 420, "n_series": 2, "seed": 4}}},
        "h": 6,
        "input_size": 24,
        "models": [{"LSTM": LSTM}, "Ridge"],
        "search": {"n_trials": 12, "n_windows": 3},
    }
    foretide("tune", write(config), "--out", "run")
    return read_folder(Path("run"))


def explain() -> tuple[Numbers, Words]:
    """``foretide explain`` on a run with planted lags: attention, latent state and inputs."""
    config = {
        "name": "explain",
        "data": {
            "synthetic": {"generator": "planted_lags", "args": {"T": 500, "lags": [24], "weights": [0.8], "seed": 0}}
        },
        "h": 4,
        "input_size": 48,
        "models": [{"Attention": ATTENTION}, {"LAVAR": LAVAR}],
        "baselines": False,
        "explain": False,
        "stride": 2,
    }
    foretide("run", write(config), "--out", "run")
    foretide("explain", "run")
    return read_folder(Path("run"))


CASES: dict[str, Case] = {
    "demo": demo,
    "supplies": supplies,
    "bikes": example("bikes", 1000, models=[{"LAVAR": {**LAVAR, "order": 24}}, {"Attention": COUNTS}], explain=False),
    "etth1": example("etth1", 900, "2018-02-20 23:00", models=[{"Attention": ATTENTION}, {"LSTM": LSTM}]),
    "etth1_search": example(
        "etth1_search",
        900,
        "2018-02-20 23:00",
        models=[{"Attention": {**ATTENTION, "hidden": 32}}],
        input_size=48,
        search={"n_trials": 3, "n_windows": 2},
        explain=False,
    ),
    "pbs": example("pbs", models=[{"LAVAR": LAVAR}, {"Attention": COUNTS}, {"Stats": AUTO_ETS}]),
    "vic_electricity": example("vic_electricity", 2000, models=[{"Attention": ATTENTION}], explain=False),
    "backtest": backtest,
    "refits": refits,
    "search": search,
    "explain": explain,
}
"""Name -> what makes it; examples by the names of their files."""


def missing_data(name: str) -> str | None:
    """Return why a case cannot be made here, None where it can."""
    example_file = ROOT / "examples" / f"{name}.yaml"
    if not example_file.is_file():
        return None
    source = DATA / Path(YAML(typ="safe").load(example_file)["data"]["path"]).name
    return None if source.is_file() else f"no {source.name} in {DATA}; set FORETIDE_DATA to a folder that holds it"


def make(name: str, folder: Path) -> tuple[Numbers, Words]:
    """Make a case in an empty folder; paths in it are relative, so that they are the same everywhere."""
    with contextlib.chdir(folder):
        return CASES[name]()
