"""``ft.Auto`` on random walks, as exchange rates are: it should be no worse than the last value.

Panels of eight columns and 2,000 daily rows, of several kinds; the last 360 rows are forecast from fifteen origins by
one fit. Mean absolute error and weighted quantile loss as multiples of those of the last value with the intervals of
its past errors.
"""

from __future__ import annotations

import time
import warnings

import numpy as np
import pandas as pd
from common import RESULTS, arguments, save

import foretide as ft
from foretide.typing import Floats

NAME = "random_walks"
COLUMNS, ROWS, H, ORIGINS = 8, 2000, 24, 15
KINDS = ("plain", "drift", "heavy tails", "correlated", "waves of variance")


def walk(kind: str, seed: int) -> ft.Panel:
    """Return a wide panel of random walks, as positive as rates are."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    steps = rng.normal(size=(ROWS, COLUMNS))
    if kind == "drift":
        steps += rng.normal(0.0, 0.03, COLUMNS)
    elif kind == "heavy tails":
        steps = rng.standard_t(3, size=(ROWS, COLUMNS))
    elif kind == "correlated":
        steps = 0.6 * steps + 0.8 * rng.normal(size=(ROWS, 1))
    elif kind == "waves of variance":
        state = np.zeros(COLUMNS)
        for row in range(ROWS):
            state = 0.98 * state + 0.15 * rng.normal(size=COLUMNS)
            steps[row] *= np.exp(state)
    values: Floats = rng.uniform(0.3, 3.0, COLUMNS) * np.exp(0.005 * np.cumsum(steps, axis=0))
    frame = pd.DataFrame(values, columns=[f"rate{k}" for k in range(COLUMNS)])
    frame.insert(0, "date", pd.date_range("2015-01-01", periods=ROWS, freq="D"))
    return ft.Panel.from_wide(frame, time="date", target=list(frame.columns[1:]))


def row(kind: str, seed: int) -> dict[str, object]:
    """Fit on the first rows and forecast the last ones."""
    panel = walk(kind, seed)
    cutoffs = panel.grid.output_times(np.arange(ROWS - 1 - H * ORIGINS, ROWS - H, H))
    seen = panel.head(panel.observed - H * ORIGINS)
    models = {"Auto": ft.Auto(H), "Persistence": ft.WithIntervals("Persistence", h=H)}
    found: dict[str, object] = {"kind": kind, "seed": seed}
    loss = {}
    for name, model in models.items():
        began = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            forecast = model.fit(seen).predict(panel, cutoffs, quantiles=[k / 10 for k in range(1, 10)], levels=[80])
        if isinstance(model, ft.Auto):
            board = model.leaderboard()
            found["seconds"] = time.process_time() - began
            found["members"] = ", ".join(
                f"{one.candidate} {one.weight:.2f}" for one in board.itertuples() if one.weight
            )
        board = ft.score([forecast]).leaderboard().iloc[0]
        loss[name] = board
    for score in ("mae", "wql", "rmse"):
        found[score] = float(loss["Auto"][score] / loss["Persistence"][score])
    return found


def main() -> None:
    """Run what is asked for and add it to the results."""
    chosen = arguments(
        __doc__, kinds={"nargs": "+", "default": list(KINDS)}, seeds={"nargs": "+", "type": int, "default": [0, 1]}
    )
    path = RESULTS / f"{NAME}.csv"
    rows = pd.read_csv(path).to_dict("records") if path.exists() else []
    for seed in chosen.seeds:
        for kind in chosen.kinds:
            rows = [one for one in rows if (one["kind"], one["seed"]) != (kind, seed)] + [row(kind, seed)]
            save(NAME, rows, chosen.threads)
    table = pd.DataFrame(rows)
    print(table.groupby("kind")[["mae", "wql", "rmse"]].mean().round(4).to_string())
    print(table[["mae", "wql", "rmse"]].mean().round(4).to_string())


if __name__ == "__main__":
    main()
