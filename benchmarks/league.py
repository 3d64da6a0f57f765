"""The league: every forecaster of the table and ``Auto`` on the eleven public tasks as they are, beside rivals.

One window a series, scored as the folder's README says: WQL over the quantiles 0.1 .. 0.9, MASE with the median and
each series' own seasonal naive error before the test part. A model without quantiles gets the intervals of its past
errors. Every fit runs in a process of its own, which gives its processor seconds and its peak memory; an error is a
row too. Rows are added to ``results/league.csv`` after every fit, and fits that are there already are not repeated, so
that a long run can be cut and taken up again (``--again`` repeats them). ``--page`` writes the tables of
``docs/league.md`` from the rows and the published rivals, and fits nothing.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import RESULTS, arguments, real_data, save, used

import foretide as ft
from foretide.forecasters.simple.default_set import with_intervals
from foretide.forecasters.table import FORECASTERS, forecaster_class

NAME = "league"
QUANTILES = tuple(round(0.1 * k, 1) for k in range(1, 10))
LEVELS = tuple(round(k / 40, 3) for k in range(1, 40))
"""All that is asked for; the deciles are among them."""
STATS = ("AutoETS", "AutoCES", "Theta", "DynamicOptimizedTheta", "AutoARIMA")
NOT_ALONE = {"Stats", "Ensemble", "PerEntity", "WithIntervals", "Conformal"}
MODELS = (*(n for n in FORECASTERS if n not in NOT_ALONE and not n.startswith("Plain")), *STATS)
SPARSE = ("Croston", "SBA", "TSB", "ADIDA", "IMAPA")
PAGE = Path(__file__).parents[1] / "docs" / "league.md"


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
    """WQL and MASE of quantiles ``[N, h, Q]`` at :data:`QUANTILES`."""
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


def coverage(quantiles: np.ndarray, truth: np.ndarray) -> float:
    """Share of the truth in the 80 % interval by its probability, ties counted by the part that lies within."""
    known = ~np.isnan(truth) & np.isfinite(quantiles).all(axis=-1)
    y, q = truth[known][:, None], quantiles[known]
    edges = np.array([0.0, *LEVELS, 1.0])
    middle = (edges[1:] + edges[:-1]) / 2
    below, upto = (q < y).sum(axis=1), (q <= y).sum(axis=1)
    low = np.where(upto > below, np.where(below == 0, 0.0, middle[below]), edges[below])
    high = np.where(upto > below, middle[upto], edges[upto + 1])
    return float((np.clip(np.minimum(high, 0.9) - np.maximum(low, 0.1), 0, None) / (high - low)).mean())


def made(name: str, h: int, settings: dict[str, Any]) -> Any:
    """Return a forecaster by its name, or that of a model of statsforecast, with intervals."""
    if name in STATS:
        return ft.Stats(name, h, **settings)
    return with_intervals(forecaster_class(name)(h=h, **settings))


def one(name: str, settings: dict[str, Any], task: pd.Series) -> dict[str, Any]:
    """Fit and forecast one task in this process; an error is a row too."""
    row: dict[str, Any] = {"task": task.task, "model": name, "settings": json.dumps(settings)}
    try:
        seen, ahead, truth = panels(task)
        model = made(name, int(task.h), settings)
        with used() as cost, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = model.fit(seen).predict(ahead, quantiles=LEVELS, levels=())
    except Exception as error:  # an error is what is looked for here
        return {**row, "error": f"{type(error).__name__}: {error}"[:300]}
    row |= {"cpu_s": cost.cpu_s, "wall_s": cost.seconds, "peak_mib": cost.peak_mib}
    got = np.full((*truth.shape, len(LEVELS)), np.nan)
    got[found.windows.entity] = found.quantiles[:, :, 0]
    row["wql"], row["mase"] = scores(got[..., [LEVELS.index(q) for q in QUANTILES]], truth, seen, int(task.season))
    row["cover_80"] = coverage(got, truth)
    row["without_forecast"] = int((~np.isfinite(got).all(axis=(1, 2))).sum())
    row["stand_ins"] = len({int(k) for note in found.notes if note.kind == "stand-in" for k in note.windows})
    if name == "Auto":
        board = model.leaderboard()
        row["notes"] = ", ".join(f"{r.candidate} {r.weight:.2f}" for r in board.itertuples() if r.weight)
    row["warnings"] = " | ".join(dict.fromkeys(str(w.message)[:160] for w in caught))[:500]
    return {**row, "error": ""}


def apart(name: str, settings: dict[str, Any], task: pd.Series, limit: float) -> dict[str, Any]:
    """Return the row of one fit in a process of its own, stopped after ``limit`` seconds."""
    began = {"task": task.task, "model": name, "settings": json.dumps(settings)}
    line = [sys.executable, __file__, "--only", json.dumps([name, settings, task.task])]
    try:
        done = subprocess.run(line, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return {**began, "error": f"stopped after {limit:.0f} s"}
    found = re.search(r"^ROW (.*)$", done.stdout, re.MULTILINE)
    return json.loads(found[1]) if found else {**began, "error": f"died: {done.stderr.strip()[-200:]}"}


# -------------------------------------------------------------------- the page
def skill(table: pd.DataFrame, naive: pd.Series) -> pd.Series:
    """One less the geometric mean over tasks of WQL ÷ the seasonal naive's; NaN where a task is missing."""
    return 1 - np.exp(np.log(table[naive.index] / naive).mean(axis=1, skipna=False))


def markdown(table: pd.DataFrame, digits: dict[str, int], bold: Any) -> str:
    """A table of text, numbers with so many digits, rows that ``bold`` says yes to in bold."""
    lines = ["| " + " | ".join([str(table.index.name), *table.columns]) + " |", "|" + "---|" * (table.shape[1] + 1)]
    for name, row in table.iterrows():
        cells = ["–" if pd.isna(v) else f"{v:.{digits.get(c, 3)}f}" for c, v in row.items()]
        marked = [f"**{cell}**" for cell in (str(name), *cells)] if bold(name) else [str(name), *cells]
        lines.append("| " + " | ".join(marked) + " |")
    return "\n".join(lines)


def leaderboards(rows: pd.DataFrame, rivals: pd.DataFrame, tasks: pd.DataFrame) -> dict[str, str]:
    """Return the tables of the page by name."""
    published = rivals.pivot(index="rival", columns="task", values="WQL")
    naive = published.loc["seasonal_naive"].dropna()
    own = rows.pivot_table(index="model", columns="task", values="wql", dropna=False)
    five = own.reindex(columns=naive.index).dropna(how="any")
    both = pd.concat([published[naive.index].rename(index="{} (published)".format), five])
    both = both.assign(skill=skill(both, naive)).sort_values("skill", ascending=False)
    both.insert(0, "rank", range(1, len(both) + 1))
    both.index.name = "model"
    order = [task for task in tasks.task if task in own.columns]
    full = own[order].assign(tasks=own[order].notna().sum(axis=1))
    auto = full.loc["Auto", order] if "Auto" in full.index else own[order].min()
    full["WQL ÷ Auto's"] = np.exp(np.log(own[order] / auto).mean(axis=1))
    full = full.sort_values(["tasks", "WQL ÷ Auto's"], ascending=[False, True]).drop(columns="tasks")
    full.index.name = "model"
    best = own[order].drop(index="Auto", errors="ignore")
    mine = rows[rows.model == "Auto"].set_index("task").reindex(order)
    about = pd.DataFrame({
        "WQL": mine.wql, "best single": best.min(), "Auto ÷ best": mine.wql / best.min(), "MASE": mine.mase,
        "80 % covers": mine.cover_80, "CPU s": mine.cpu_s, "wall s": mine.wall_s, "MiB": mine.peak_mib,
    })  # fmt: skip
    about.index = [f"{task} ({best[task].idxmin()})" if best[task].notna().any() else task for task in order]
    about.index.name = "task (best single)"
    short = {"rank": 0, "CPU s": 0, "wall s": 0, "MiB": 0, **dict.fromkeys(tasks.task, 4), "WQL": 4, "best single": 4}
    return {
        "published": markdown(both, short, lambda name: "(published)" not in name),
        "all": markdown(full, short, lambda name: name == "Auto"),
        "auto": markdown(about, short, lambda name: False),
    }


def write_page(rows: pd.DataFrame, rivals: pd.DataFrame, tasks: pd.DataFrame) -> None:
    """Put the tables into ``docs/league.md``, between the marks that bear their names."""
    text = PAGE.read_text()
    for name, table in leaderboards(rows, rivals, tasks).items():
        begin, end = f"<!-- table {name} -->", f"<!-- end {name} -->"
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}"
    PAGE.write_text(text)


def main() -> None:
    """Run what is asked for and add it to the results."""
    chosen = arguments(
        __doc__, models={"nargs": "+", "default": list(MODELS)}, tasks={"nargs": "+"},
        settings={"default": "{}", "help": "further settings of every model, JSON"}, page={"action": "store_true"},
        again={"action": "store_true", "help": "repeat fits that have a row"}, workers={"type": int, "default": 1},
        limit={"type": float, "default": 900, "help": "seconds a fit may take"}, only={"help": "one fit, JSON"},
    )  # fmt: skip
    tasks = pd.read_csv(real_data() / "league" / "tasks.csv")
    if chosen.only:
        name, settings, which = json.loads(chosen.only)
        print("ROW " + json.dumps(one(name, settings, tasks.set_index("task", drop=False).loc[which])))
        return
    path = RESULTS / f"{NAME}.csv"
    rows = pd.read_csv(path).to_dict("records") if path.exists() else []
    there = {(row["task"], row["model"]) for row in rows}
    items = [
        (name, json.loads(chosen.settings), task)
        for _, task in tasks.iterrows()
        for name in chosen.models
        if (not chosen.tasks or task.task in chosen.tasks)
        and not (name in SPARSE and not task.zeros > 0)
        and (chosen.again or (task.task, name) not in there)
    ]
    if not chosen.page:
        with ThreadPoolExecutor(chosen.workers) as pool:
            for row in pool.map(lambda item: apart(*item, chosen.limit), items):
                rows = [r for r in rows if (r["task"], r["model"]) != (row["task"], row["model"])] + [row]
                save(NAME, rows, chosen.threads, show=False)
                print({k: v for k, v in row.items() if v == v and v != ""}, flush=True)
    write_page(pd.DataFrame(rows), pd.read_csv(real_data() / "league" / "rivals.csv"), tasks)


if __name__ == "__main__":
    main()
