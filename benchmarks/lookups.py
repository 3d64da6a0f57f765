"""Does attention look up what the data demand? Markers at places that differ from window to window, ten seeds.

Three kinds of ``ft.synthetic.planted_lookup``, lookback 60, horizon 6, default settings: ``marker`` (a past column
marks the step whose value comes back at known recalls), ``spike`` (a spike in the series does; the value stands one
step after it) and ``regime`` (every step repeats the value at the last marker, so the level shifts). ``found`` is the
share of windows and recalls at which the largest weight lies at the place, by the mean over heads and by the head
where it does so most often; ``faithful`` the verdict of the test. Errors at recalls, against the oracle: Attention,
its untrained start, Attention without the head that looks up, LSTM, and the bound below which no linear map of the
lags can come one step ahead.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from common import arguments, rmse, save

import foretide as ft
from foretide.forecasters.base import Forecaster
from foretide.pictures.matplotlib import draw as draw_panels
from foretide.pictures.picture import Axis, Heat, Panel, Points

KINDS = {"marker": {}, "spike": {"spike": 5.0}, "regime": {"recall": 1.0}}
LOOKBACK, H, T = 60, 6, 4000


def found(weights: np.ndarray, there: np.ndarray, looks: np.ndarray) -> tuple[float, float]:
    """Share of recalls whose largest weight ``[N, M, H, L]`` lies ``there`` ``[N, H]``: mean over heads, best head."""
    by_head = [(weights[:, m].argmax(axis=2) == there)[looks].mean() for m in range(weights.shape[1])]
    return float((weights.mean(axis=1).argmax(axis=2) == there)[looks].mean()), float(max(by_head))


def one(kind: str, seed: int) -> dict[str, object]:
    """All models on one draw."""
    made = ft.synthetic.planted_lookup(T=T, seed=seed, **KINDS[kind])
    panel, truth, parts = made.panel, made.truth, ft.split(made.panel)
    cutoffs = np.arange(parts.val_end, T - H)
    times = panel.grid.output_times(cutoffs)
    place = truth.places(cutoffs, H)
    there = place - (cutoffs[:, None] - LOOKBACK + 1)
    looks = (place >= 0) & (there >= 0)
    y = truth.y[cutoffs[:, None] + np.arange(1, H + 1)]

    def error(mean: np.ndarray, steps: slice = slice(None)) -> float:
        return rmse((y - mean)[:, steps][looks[:, steps]])

    def fitted(model: Forecaster) -> Forecaster:
        return model.fit(panel, until=parts.val_until, train_until=parts.train_until)

    began = time.process_time()
    model = fitted(ft.Attention(H, input_size=LOOKBACK, seed=seed))
    seconds = time.process_time() - began
    forecast = model.predict(panel, cutoffs=times, attention=True)
    share, best = found(forecast.extras["attention"], there, looks)
    summary = ft.explain.attention(model, panel, times)
    others = {
        "start": model.start(), "without": ft.Attention(H, input_size=LOOKBACK, seed=seed, lookup=False),
        "lstm": ft.LSTM(H, input_size=LOOKBACK, seed=seed),
    }  # fmt: skip
    oracle = truth.oracle(cutoffs, H)[..., 0]
    floor = error(oracle)
    return {
        "kind": kind, "seed": seed, "found": share, "found_by_best_head": best, "oracle": floor,
        "attention_over_oracle": error(forecast.mean[..., 0]) / floor,
        **{f"{name}_over_oracle": error(fitted(m).predict(panel, cutoffs=times).mean[..., 0]) / floor
           for name, m in others.items() if m is not None},
        "attention_step_1": error(forecast.mean[..., 0], slice(0, 1)), "oracle_step_1": error(oracle, slice(0, 1)),
        "linear_bound_step_1": truth.linear_rmse(LOOKBACK), "bits_between_windows": summary.between_windows,
        "faithful": "" if summary.belief is None else summary.belief.verdict, "seconds": seconds,
        "best_epoch": model.best_epoch,
    }  # fmt: skip


def draw(path: Path, seed: int = 100) -> None:
    """Draw where single windows look, beside the places: ``docs/img/lookup.png``."""
    made = ft.synthetic.planted_lookup(T=T, seed=seed)
    panel, parts = made.panel, ft.split(made.panel)
    model = ft.Attention(H, input_size=LOOKBACK, seed=seed)
    model.fit(panel, until=parts.val_until, train_until=parts.train_until)
    cutoffs = np.arange(parts.val_end, parts.val_end + 90)
    forecast = model.predict(panel, cutoffs=panel.grid.output_times(cutoffs), attention=True)
    weights, lags = forecast.extras["attention"][:, :, 0, ::-1], np.arange(LOOKBACK)  # one step ahead, newest first
    place = made.truth.places(cutoffs, h=1)[:, 0]
    looks = place >= 0
    views = (("mean of the heads that copy lags", weights[:, :-1].mean(axis=1)), ("head that looks up", weights[:, -1]))
    panels = [
        Panel(
            [
                Heat(np.arange(len(cutoffs)), lags, by_window.T, 0.0, float(by_window.max())),
                Points("the value to look up", np.flatnonzero(looks), (cutoffs - place)[looks], "#d62728", size=3),
            ],
            Axis("window"), Axis("steps before the cutoff"), title,
        )
        for title, by_window in views
    ]  # fmt: skip
    draw_panels(panels, "Attention of 90 windows, one step ahead").savefig(path, dpi=110)


def main() -> None:
    """Run all kinds and seeds."""
    chosen = arguments(
        __doc__, seeds={"type": int, "nargs": "+", "default": list(range(10))}, picture={"type": Path, "default": None}
    )
    if chosen.picture is not None:
        draw(chosen.picture)
        return
    rows = []
    for kind in KINDS:
        for seed in chosen.seeds:
            rows.append(one(kind, seed))
            print(rows[-1], flush=True)
    save("lookups", rows, chosen.threads)


if __name__ == "__main__":
    main()
