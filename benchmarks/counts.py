"""Counts nobody tuned for: rolling origins over the count tasks of the league.

Every model is fitted once before the first origin and forecasts from all of them: LAVAR and the pooled analogues (three
seeds where a seed matters) beside the simple baselines and the automatic and intermittent models of statsforecast, all
with intervals. Scores over all origins, steps and series. ``p_series`` says whether the mean quantile loss of a series
differs from that of the best model of statsforecast or of the baselines by more than chance: a paired t test over
series, whose errors at neighbouring origins are not independent but those of different series nearly are; with eight
series it says little. ``--models`` and ``--tasks`` run some of them; rows of others in the result file stay.

Settings and defaults were chosen on the rows before the first origins (``--before`` cuts the others away), never on
these.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from common import RESULTS, arguments, real_data, save
from scipy import stats

import foretide as ft
from foretide.errors import ForetideError
from foretide.forecasters.base import Forecaster

NAME = "counts"
KEY = ["task", "model", "seed"]
METRICS = ("wql", "mase", "rmsse", "mse", "coverage_80")


class Origins(NamedTuple):
    """``n`` of them, ``step`` rows apart, the last one a horizon before the end."""

    n: int
    step: int

    def reach(self, h: int) -> int:
        """Rows at the end that are forecast."""
        return h + (self.n - 1) * self.step


TASKS = {
    "m5_hobbies": Origins(12, 13), "antibiotics": Origins(12, 1), "auto_parts": Origins(4, 1),
    "pharmacy_daily": Origins(24, 13),
}  # fmt: skip
"""Steps that are no multiple of the season, so that origins rotate through it; 24 months leave four origins."""
SEEDED = ("LAVAR", "Attention")
OURS = ("LAVAR", "Analogues")
SIMPLE = (
    "SeasonalNaive", "WindowMean", "SeasonalMean", "SeasonalES", "CalendarES", "Ridge", "Croston", "SBA", "TSB",
)  # fmt: skip
STATS = ("CrostonOptimized", "ADIDA", "IMAPA", "AutoETS", "AutoTheta", "AutoCES", "AutoARIMA")
SLOW = {"AutoCES", "AutoARIMA"}
MANY_ROWS = 50_000
"""Rows from which the slow models are left out: hours on one thread."""


def models(h: int, rows: int, seeds: list[int]) -> Iterator[tuple[str, Any, Forecaster]]:
    """Name, seed and model of every row."""
    yield from (("LAVAR", seed, ft.LAVAR(h, seed=seed)) for seed in seeds)
    yield "Analogues", "", ft.Analogues(h)
    yield from ((name, "", getattr(ft, name)(h)) for name in SIMPLE)
    yield from ((name, "", ft.Stats(name, h)) for name in STATS if rows < MANY_ROWS or name not in SLOW)
    yield from (("Attention", seed, ft.Attention(h, seed=seed)) for seed in seeds)


def panel_of(task: pd.Series, origins: Origins, *, before: bool) -> ft.Panel:
    """The whole table of a task, or what lies before its first origin."""
    known = [] if pd.isna(task.known) else task.known.split()
    frame = pd.read_parquet(real_data() / "league" / f"{task.task}.parquet").sort_values(["unique_id", "ds"])
    if before:
        frame = frame[frame.groupby("unique_id").cumcount(ascending=False) >= origins.reach(int(task.h))]
    return ft.Panel.from_frame(frame, freq=task.freq, future=known, missing="mask")


def one(model: Forecaster, panel: ft.Panel, task: pd.Series, origins: Origins) -> tuple[dict[str, Any], np.ndarray]:
    """Backtest one model: its scores, and its mean quantile loss by series ``[N]``."""
    started = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        card = ft.backtest(
            model, panel, h=int(task.h), step=origins.step, n_windows=origins.n, refit=False, baselines=False,
            starts=False, season=int(task.season),
        )  # fmt: skip
    row = {name: float(card.scores(name)[card.models[0]].iloc[0]) for name in METRICS}
    points = np.nan_to_num(card.points_of(card.models[0], "wql"))
    loss = np.bincount(card.series_groups.ravel(), weights=points.ravel(), minlength=panel.n_entities)
    return {**row, "cpu_s": time.process_time() - started}, loss


def main() -> None:
    """Run what is asked for and add it to the results."""
    chosen = arguments(
        __doc__, models={"nargs": "+"}, tasks={"nargs": "+", "default": list(TASKS)},
        seeds={"type": int, "nargs": "+", "default": [0, 1, 2]}, before={"action": "store_true"},
    )  # fmt: skip
    name = f"{NAME}_before" if chosen.before else NAME
    table = pd.read_csv(real_data() / "league" / "tasks.csv").set_index("task", drop=False)
    path = RESULTS / f"{name}.csv"
    rows = pd.read_csv(path, keep_default_na=False).to_dict("records") if path.exists() else []
    for task in (table.loc[t] for t in chosen.tasks):
        origins = TASKS[task.task]
        panel = panel_of(task, origins, before=chosen.before)
        losses: dict[tuple[str, Any], np.ndarray] = {}
        found = []
        for model_name, seed, model in models(int(task.h), int(panel.observed.sum()), chosen.seeds):
            if chosen.models and model_name not in chosen.models:
                continue
            row: dict[str, Any] = {"task": task.task, "model": model_name, "seed": seed}
            try:
                scores, losses[model_name, seed] = one(model, panel, task, origins)
            except ForetideError as error:
                found.append({**row, "error": str(error)[:200]})
            else:
                found.append({**row, **scores, "error": ""})
            print(found[-1], flush=True)
        rivals = {key: float(loss.sum()) for key, loss in losses.items() if key[0] not in (*OURS, *SEEDED)}
        best = min(rivals, key=rivals.__getitem__, default=None)
        for row in found:
            own = losses.get((row["model"], row["seed"]))
            if best is not None and own is not None and (row["model"], row["seed"]) != best:
                row["rival"], row["p_series"] = best[0], float(stats.ttest_rel(own, losses[best]).pvalue)
        new = {tuple(str(row[k]) for k in KEY) for row in found}
        rows = [row for row in rows if tuple(str(row[k]) for k in KEY) not in new] + found
        save(name, rows, chosen.threads)


if __name__ == "__main__":
    main()
