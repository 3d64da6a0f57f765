"""The league as it is: every task of ``league/tasks.csv``, fitted before the last ``h`` rows of each series.

One window a series, scored as the folder's README says: WQL over the quantiles 0.1 .. 0.9, MASE with the median and
each series' own seasonal naive error before the test part. A model without quantiles has its point forecast at every
level. Beside them what went wrong: errors, series without a forecast, stand-ins and other notes. Rows are added to
``results/league_as_is.csv`` after every fit, so that a long run can be cut and taken up again.
"""

from __future__ import annotations

import json
import time
import warnings
from typing import Any

import numpy as np
import pandas as pd
from common import RESULTS, arguments, real_data, save

import foretide as ft
from foretide.forecasters.table import forecaster_class

NAME = "league_as_is"
QUANTILES = tuple(round(0.1 * k, 1) for k in range(1, 10))
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "SeasonalNaive": ("SeasonalNaive", {}),
    "SeasonalES": ("SeasonalES", {}),
    "SeasonalMean": ("SeasonalMean", {}),
    "CalendarES": ("CalendarES", {}),
    "Ridge": ("Ridge", {}),
    "WithIntervals(Ridge)": ("WithIntervals", {"model": {"Ridge": {}}}),
    "WithIntervals(SeasonalES)": ("WithIntervals", {"model": {"SeasonalES": {}}}),
    "LSTM": ("LSTM", {"head": "quantile"}),
    "Attention": ("Attention", {"head": "quantile"}),
    "LAVAR": ("LAVAR", {}),
    "ARIMA": ("ARIMA", {}),
    "VAR": ("VAR", {}),
    "AutoETS": ("Stats", {"model": "AutoETS"}),
    "AutoARIMA": ("Stats", {"model": "AutoARIMA"}),
    "Croston": ("Croston", {}),
    "TSB": ("TSB", {}),
}
SPARSE = ("Croston", "TSB")


def panels(task: pd.Series) -> tuple[ft.Panel, ft.Panel, np.ndarray]:
    """Return the part to fit on, the part with known-ahead rows to predict from, and the truth ``[N, h]``."""
    known = [] if pd.isna(task.known) else task.known.split()
    frame = pd.read_parquet(real_data() / "league" / f"{task.task}.parquet").sort_values(["unique_id", "ds"])
    test = frame.groupby("unique_id", sort=False).cumcount(ascending=False) < task.h
    truth = frame[test].groupby("unique_id", sort=False).y.apply(np.asarray)
    blank = frame.copy()
    blank.loc[test, "y"] = np.nan
    options = {"freq": task.freq, "future": known, "missing": "mask"}
    seen, ahead = (ft.Panel.from_frame(part, **options) for part in (blank[~test], blank))
    assert seen.ids == tuple(truth.index)
    return seen, ahead, np.stack(truth.to_list()).astype(np.float64)


def scores(found: np.ndarray, truth: np.ndarray, seen: ft.Panel, season: int) -> tuple[float, float]:
    """WQL and MASE of quantiles ``[N, h, Q]``."""
    gap = truth[..., None] - found
    loss = np.maximum(np.array(QUANTILES) * gap, (np.array(QUANTILES) - 1) * gap)
    wql = 2 * np.nansum(loss, axis=(0, 1)) / np.nansum(np.abs(truth))
    scale = np.full(len(truth), np.nan)
    for i in range(seen.n_entities):
        y = seen.rows(i)[: seen.observed[i], 0]
        if len(y) > season and np.isfinite(y[season:] - y[:-season]).any():
            scale[i] = np.nanmean(np.abs(y[season:] - y[:-season]))
    errors = np.nanmean(np.abs(gap[..., QUANTILES.index(0.5)]), axis=1)
    ratio = errors[scale > 0] / scale[scale > 0]
    return float(wql.mean()), float(np.nanmean(ratio))


def one(name: str, settings: dict[str, Any], task: pd.Series) -> dict[str, Any]:
    """Fit and forecast one task; an error is a row too."""
    kind, own = MODELS[name]
    row: dict[str, Any] = {"task": task.task, "model": name, "settings": json.dumps(settings), "series": task.series}
    model = forecaster_class(kind)(h=int(task.h), **{**own, **settings})
    try:
        seen, ahead, truth = panels(task)
        started = time.perf_counter()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.fit(seen)
            row["fit_s"] = time.perf_counter() - started
            found = model.predict(ahead, quantiles=QUANTILES, levels=())
            row["predict_s"] = time.perf_counter() - started - row["fit_s"]
    except Exception as error:  # an error is what is looked for here
        return {**row, "error": f"{type(error).__name__}: {error}"[:300]}
    mean = np.full(truth.shape, np.nan)
    mean[found.windows.entity] = found.mean[..., 0]
    distributions = np.repeat(mean[..., None], len(QUANTILES), axis=2)
    if found.quantiles is not None:
        distributions[found.windows.entity] = found.quantiles[:, :, 0]
    row["wql"], row["mase"] = scores(distributions, truth, seen, int(task.season))
    row["distribution"] = found.quantiles is not None
    row["without_forecast"] = int((~np.isfinite(distributions).all(axis=(1, 2))).sum())
    notes = {note.kind: len(note.windows) for note in found.notes if note.kind != "stand-in"}
    row["stand_ins"] = len({int(k) for note in found.notes if note.kind == "stand-in" for k in note.windows})
    row["notes"] = ", ".join(f"{kind} {n}" for kind, n in notes.items())
    row["warnings"] = " | ".join(dict.fromkeys(str(w.message)[:160] for w in caught))[:500]
    return {**row, "error": ""}


def main() -> None:
    """Run what is asked for and add it to the results."""
    chosen = arguments(
        __doc__, models={"nargs": "+", "default": list(MODELS)}, tasks={"nargs": "+"},
        settings={"default": "{}", "help": "further settings of every model, JSON"},
    )  # fmt: skip
    table = pd.read_csv(real_data() / "league" / "tasks.csv")
    rivals = pd.read_csv(real_data() / "league" / "rivals.csv")
    naive = rivals[rivals.rival == "seasonal_naive"].set_index("task").WQL
    path = RESULTS / f"{NAME}.csv"
    rows = pd.read_csv(path).to_dict("records") if path.exists() else []
    for name in chosen.models:
        for _, task in table.iterrows():
            if chosen.tasks and task.task not in chosen.tasks:
                continue
            if name in SPARSE and not task.zeros > 0:
                continue
            row = one(name, json.loads(chosen.settings), task)
            row["naive_wql"] = naive.get(task.task, float("nan"))
            rows = [r for r in rows if (r["task"], r["model"]) != (task.task, name)] + [row]
            save(NAME, rows, chosen.threads)


if __name__ == "__main__":
    main()
