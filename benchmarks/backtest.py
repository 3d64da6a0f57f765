"""What a backtest costs: 100 folds of ten baselines on 336 monthly series; 1,000 cutoffs of a fitted network.

Prescriptions (PBS): horizon 12, a cutoff every month, no refit, ten vectorised baselines and what joins unasked; with
scores, tests and leaderboard; peak memory of the process, imports and data included. Network: a backtest of 1,000
cutoffs against one forward pass over the same windows, with and without the simple baselines, medians of five.
"""

from __future__ import annotations

import time

import numpy as np
from common import arguments, real_data, save, used

import foretide as ft

H = 12


def prescriptions() -> dict:
    """100 folds x 10 baselines x 336 series."""
    panel = ft.Panel.read(str(real_data() / "pbs_long.parquet"), id="unique_id", time="ds", target="y")
    models = [
        ft.Persistence(H), ft.SeasonalNaive(H), ft.WindowMean(H), ft.SeasonalMean(H), ft.SeasonalES(H), ft.Drift(H),
        ft.CalendarES(H), ft.CalendarMean(H), ft.Ridge(H, input_size=24), ft.TSB(H),
    ]  # fmt: skip
    with used() as whole:
        with used() as made:
            card = ft.backtest(models, panel, n_windows=100, step=1)
        board = card.leaderboard()
    return {
        "what": f"PBS, 100 folds x {len(board)} baselines", "seconds": whole.seconds, "backtest_s": made.seconds,
        "peak_mib": whole.peak_mib, "rows": len(card.to_frame()), "verdict": card.verdict(),
    }  # fmt: skip


def network(name: str, **settings: object) -> dict:
    """1,000 cutoffs of a fitted network on three hourly series."""
    panel = ft.synthetic.hourly(T=3000, n_series=3, seed=1).panel
    times = panel.grid.output_times(np.arange(3000))
    model = getattr(ft, name)(h=24, input_size=168, epochs=1, **settings).fit(panel, until=times[1900])
    cutoffs = times[2976 - 1000 : 2976]
    spent: dict[str, list[float]] = {"forward": [], "backtest": [], "with_baselines": []}
    for _ in range(5):
        for key, work in (
            ("forward", lambda: model.predict(panel, cutoffs=cutoffs)),
            ("backtest", lambda: ft.backtest(model, panel, n_windows=1000, step=1, baselines=False).leaderboard()),
            ("with_baselines", lambda: ft.backtest(model, panel, n_windows=1000, step=1).leaderboard()),
        ):
            started = time.perf_counter()
            work()
            spent[key].append(time.perf_counter() - started)
    found = {key: float(np.median(values)) for key, values in spent.items()}
    once = found["forward"]
    return {
        "what": f"{name}, 1000 cutoffs", "seconds": found["backtest"], "forward_s": once,
        "ratio": found["backtest"] / once, "ratio_with_baselines": found["with_baselines"] / once,
    }  # fmt: skip


def main() -> None:
    """Measure both."""
    chosen = arguments(__doc__)
    rows = [prescriptions(), network("LSTM"), network("Attention"), network("Attention", head="student_t")]
    rows[-1]["what"] += " (student_t)"
    print(rows[0].pop("verdict"))
    save("backtest", rows, chosen.threads)


if __name__ == "__main__":
    main()
