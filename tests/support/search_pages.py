"""The content of a search's page, made by hand: three models, every way for a trial to end, names that are markup."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from foretide.report.search.content import SearchContent
from foretide.tuning.space import Choice, Float, Int

EVIL = "<script>alert(1)</script>"
NET, RIDGE, BROKEN = f"Net {EVIL}", "Ridge", "Broken"
N_NET = 20
SPACES = {
    NET: {"lr": Float(1e-4, 1e-1, True), "cell": Choice((EVIL, "gru", None)), "hidden": Int(8, 256, True)},
    RIDGE: {"alpha": Float(0.0, 2.0)},
    BROKEN: {"lr": Float(1e-4, 1e-1, True)},
}  # fmt: skip


def trials() -> pd.DataFrame:
    """Net: 20 trials, the one with the least lr is best, the last terrible; Ridge: 12; Broken: 3 failed; others."""
    g = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for k in range(N_NET):
        lr = 10 ** g.uniform(-4, -1)
        rows.append({
            "model": NET, "state": "complete", "value": 900.0 if k == N_NET - 1 else 1 + np.log10(lr) / 10, "lr": lr,
            "cell": [EVIL, "gru", None][k % 3], "hidden": int(g.integers(8, 257)),
        })  # fmt: skip
    rows += [
        {"model": RIDGE, "state": "complete", "value": 0.9 + (a - 1.3) ** 2 / 10, "alpha": a}
        for a in np.linspace(0, 2, 12)
    ]
    rows += [{"model": BROKEN, "state": "failed", "lr": 0.01, "error": f"ValueError: no {EVIL}"} for _ in range(2)]
    rows += [
        {"model": BROKEN, "state": "failed", "lr": 0.02, "error": ""},
        {"model": NET, "state": "pruned", "lr": 0.05, "cell": "gru", "hidden": 9},
        {"model": RIDGE, "state": "interrupted", "alpha": 1.0, "error": "interrupted"},
        {"model": RIDGE, "state": "complete", "value": np.nan, "alpha": 1.0},
    ]
    table = pd.DataFrame(rows).assign(number=range(len(rows)), seconds=1.5)
    table["seed"] = pd.Series(range(len(rows)), dtype="Int64")
    table["error"] = table["error"].fillna("")
    for name in ("lr", "cell", "hidden", "alpha"):
        table[name] = pd.Series([None if pd.isna(v) else v for v in table[name]], dtype=object)
    table["hidden"] = pd.Series([None if v is None else int(v) for v in table["hidden"]], dtype=object)
    names = ["number", "model", "state", "value", "seconds", "seed", "error", "lr", "cell", "hidden", "alpha"]
    return table[names]


def finished(model: str) -> pd.DataFrame:
    """Return the trials of a model with a value."""
    table = trials()
    return table[(table["model"] == model) & (table["state"] == "complete") & np.isfinite(table["value"])]


def content(**changes: Any) -> SearchContent:
    """Return a content with every section."""
    table = trials()
    best = table.loc[table["value"].idxmin()]
    known: dict[str, Any] = {
        "name": f"search {EVIL}",
        "facts": {
            "kind": "search", "verdict": f"Net is best. {EVIL}", "metric": "rmse", "counts": False, "seconds": 75.0,
            "test_verdict": "On the test part, which no trial has seen: Net saves 3 %.",
            "best": {
                "model": NET, "number": int(best["number"]), "value": float(best["value"]), "seed": 3,
                "settings": {"lr": best["lr"], "cell": best["cell"], "hidden": best["hidden"]},
            },
            "notes": [f"a note {EVIL}"],
        },
        "trials": table, "measure": "rmse", "baselines": {"SeasonalNaive": 0.95, "Drift": 2.0},
        "leaderboard": pd.DataFrame({
            "model": [NET, RIDGE, "SeasonalNaive", "Drift", BROKEN],
            "kind": ["searched", "searched", "baseline", "baseline", "searched"],
            "rmse": [float(best["value"]), 0.9, 0.95, 2.0, np.nan],
            "skill_vs_best_baseline": [1 - float(best["value"]) / 0.95, 1 - 0.9 / 0.95, 0.0, 1 - 2 / 0.95, np.nan],
            "trials": [21.0, 13.0, np.nan, np.nan, 3.0], "seconds": [31.5, 19.5, np.nan, np.nan, 4.5],
            "number": [best["number"], 27, np.nan, np.nan, np.nan],
        }),
        "test_board": pd.DataFrame({
            "model": [NET, f"{NET} (defaults)", "SeasonalNaive"], "kind": ["model", "model", "baseline"],
            "rmse": [9.0, 10.0, 11.0], "mae": [np.nan] * 3, "skill_vs_best_baseline": [2 / 11, 1 / 11, 0.0],
        }),
        "spaces": SPACES,
        "importances": {NET: {"lr": 0.75, "cell": 0.05, "hidden": 0.2}, RIDGE: {"alpha": 1.0}, BROKEN: {"lr": 0.0}},
        "about": {
            "folds": {"windows": 12, "folds": [{"time": "2024-01-01 00:00:00"}, {"time": "2024-01-08 00:00:00"}]},
            "sampler": "tpe", "pruner": None, "seed": 42,
        },
        "storage": "postgresql://me:se:cret@host/db", "versions": {"foretide": "0.1", "optuna": "4.5"},
        "tuned": f"name: tuned {EVIL}\n", "settings": f"name: asked {EVIL}\n",
    }  # fmt: skip
    return SearchContent(**{**known, **changes})
