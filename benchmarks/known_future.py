"""What do columns known ahead pay? The same models with and without them, by rolling origins, fitted once.

Bike rentals and Victoria's electricity demand a day ahead with the weather that came (what a forecast of it would be
worth is another question), holidays and working days; one department of a shop four weeks ahead with prices and
events. ``gain`` is the share of the mean squared error without these columns that goes with them; ``p_mse`` and
``p_mae`` are those of the Diebold-Mariano test over origins. Without means that the table has no such columns: the
calendar stays.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from common import arguments, save
from lavar_state import CASES, Case, panel_of

import foretide as ft
from foretide.evaluation.compare.tests import compare_many
from foretide.forecasters.table import forecaster_class

MODELS: dict[str, dict[str, Any]] = {
    "Boosting": {}, "Linear": {}, "Ridge": {"input_size": 168}, "Attention": {"input_size": 168}, "LAVAR": {},
}  # fmt: skip
METRICS = ("mse", "mae")


def without(panel: ft.Panel) -> ft.Panel:
    """The same table without its known-future columns."""
    kept = panel.n_targets + len(panel.past)
    categories = {name: own for name, own in panel.categories.items() if name not in panel.future}
    return replace(panel, values=panel.values[:, :kept], future=(), categories=categories)


def losses(name: str, case: Case, panel: ft.Panel, tested: int) -> tuple[dict[str, np.ndarray], float]:
    """Mean losses of each origin, by metric, and seconds of the processor."""
    settings = {key: value for key, value in MODELS[name].items() if case.h == 24}
    started = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        card = ft.backtest(
            [forecaster_class(name)(h=case.h, **settings)], panel, h=case.h, step=case.step,
            n_windows=1 + (tested - case.h) // case.step, refit=False, baselines=False, starts=False,
        )  # fmt: skip
    seconds = time.process_time() - started
    return {metric: card.scores(metric, by="cutoff")[name].to_numpy(dtype=float) for metric in METRICS}, seconds


def main() -> None:
    """Run all tables and models, or those named, and save one row for each pair."""
    chosen = arguments(
        __doc__, before={"action": "store_true", "help": "on the rows before the tested ones"},
        tables={"nargs": "+"}, models={"nargs": "+", "default": list(MODELS)},
    )  # fmt: skip
    rows: list[dict[str, Any]] = []
    for case in CASES:
        if case.weather != "known" or "daily" in case.data or (chosen.tables and case.data not in chosen.tables):
            continue
        panel, tested = panel_of(case, before=chosen.before)
        for name in chosen.models:
            with_columns, seconds = losses(name, case, panel, tested)
            bare, bare_seconds = losses(name, case, without(panel), tested)
            overlap = -(-case.h // case.step)
            tests = {m: compare_many(with_columns[m][:, None], bare[m][:, None], h=overlap) for m in METRICS}
            mse, bare_mse = with_columns["mse"].mean(), bare["mse"].mean()
            rows.append({
                "table": case.data, "model": name, "origins": len(bare["mse"]),
                "rmse_with": np.sqrt(mse), "rmse_without": np.sqrt(bare_mse), "gain": 1 - mse / bare_mse,
                "mae_with": with_columns["mae"].mean(), "mae_without": bare["mae"].mean(),
                **{f"p_{m}": float(tests[m].p_value[0]) for m in METRICS},
                "cpu_s_with": seconds, "cpu_s_without": bare_seconds,
            })  # fmt: skip
            print(pd.DataFrame(rows[-1:]).to_string(index=False, header=len(rows) == 1), flush=True)
    save("known_future_before" if chosen.before else "known_future", rows, chosen.threads)


if __name__ == "__main__":
    main()
