"""Victoria's electricity demand with temperature known ahead: ``ft.Auto`` beside its best candidates.

The protocol of ``real.py`` (70/15/15, horizon 24, every seventh test cutoff). Auto's time is that of the wall, with its
defaults: as many processes as there are cores.
"""

from __future__ import annotations

import time

import numpy as np
from common import arguments, rmse, save
from real import STRIDE, H
from trained_or_start import with_temperature

import foretide as ft


def main() -> None:
    """Fit and score all."""
    chosen = arguments(__doc__)
    panel = with_temperature()
    parts = ft.split(panel)
    cutoffs = panel.grid.output_times(np.arange(parts.val_end, int(panel.last[0]) - H + 1, STRIDE))
    rows = []
    for model in (ft.SeasonalNaive(H, season=168), ft.Linear(H), ft.Boosting(H), ft.Attention(H), ft.Auto(H)):
        started, cpu = time.perf_counter(), time.process_time()
        options = {} if isinstance(model, ft.Auto) else {"train_until": parts.train_until}
        model.fit(panel, until=parts.val_until, **options)
        wall, cpu = time.perf_counter() - started, time.process_time() - cpu
        forecast = model.predict(panel, cutoffs=cutoffs, levels=(80,) if model.answers_levels else ())
        truth = forecast.truth()
        row = {"model": model.name, "rmse": rmse(truth - forecast.mean), "wall_s": wall, "cpu_s": cpu}
        if model.answers_levels:
            low, high = forecast.quantiles[..., 0], forecast.quantiles[..., -1]
            row["cover_80"] = float(((low <= truth) & (truth <= high))[np.isfinite(truth)].mean())
        if isinstance(model, ft.Auto):
            board = model.leaderboard()
            row["blend"] = ", ".join(f"{r.candidate} {r.weight:.2f}" for r in board.itertuples() if r.weight)
        rows.append(row)
        print(rows[-1], flush=True)
    save("victoria", rows, chosen.threads)


if __name__ == "__main__":
    main()
