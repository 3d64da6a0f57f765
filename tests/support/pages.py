"""The content of a small report page, made by hand: every section, and names that would be markup."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from foretide.report.html import AttentionWeights, Content

EVIL = "<script>alert(1)</script>"
MODELS = ("Net", "Naive", "Mean")
H, SERIES = 3, (EVIL, "b & c", "d")


def forecasts(n: int = 6, series: tuple[str, ...] = SERIES) -> pd.DataFrame:
    """Return windows at every day: truth ``10 k + step``, ``Net`` one above it with bounds, ``Naive`` two below."""
    rows: list[dict[str, Any]] = []
    for k, name in enumerate(series):
        for cutoff in pd.date_range("2024-01-01", periods=n, freq="D"):
            for step in range(1, H + 1):
                y = 10.0 * k + (cutoff.day + step) % 7
                rows.append({
                    "unique_id": name, "ds": cutoff + pd.Timedelta(days=step), "cutoff": cutoff, "h_step": step, "y": y,
                    "Net": y + 1, "Net-lo-80": y - 1, "Net-hi-80": y + 3, "Net-lo-95": y + 0.5, "Net-hi-95": y + 4,
                    "Naive": y - 2, "Mean": y + 5,
                })  # fmt: skip
    return pd.DataFrame(rows)


def attention(n: int = 5, seed: int = 0) -> AttentionWeights:
    """Return weights of two heads: head 1 on lag 0, head 2 as drawn; five lags."""
    drawn = np.random.default_rng(seed).dirichlet(np.ones(5), size=(n, 2, H)).astype(np.float32)
    drawn[:, 0] = np.eye(5, dtype=np.float32)[4]
    return AttentionWeights(drawn, [f"{EVIL} · window {k}" for k in range(n)])


def content(**changes: Any) -> Content:
    """Return a backtest's content with every section."""
    wide = {"Net": [1.0, 1.0, 1.0], "Naive": [2.0, 2.0, 2.0], "Mean": [5.0, 5.0, 5.0]}
    known: dict[str, Any] = {
        "name": f"page {EVIL}",
        "facts": {
            "kind": "backtest", "verdict": f"Net beats Naive. {EVIL}", "counts": False, "h": H, "windows": 18,
            "series": 3,
            "data": {"entities": 3, "rows": 90, "freq": "D", "targets": ["y"], "past": [EVIL], "future": []},
            "folds": {"n": 6, "first_cutoff": "2024-01-01", "last_cutoff": "2024-01-06", "step": 1, "fits": 1},
            "notes": [f"a note about {EVIL}"], "seconds": 1.5, "about": {"versions": {"python": "3"}, "cores": 2},
            "models": {
                name: {
                    "class": name, "baseline": name != "Net", "settings": {"h": H}, "fit_seconds": 0.5,
                    "predict_seconds": 0.1,
                }
                for name in MODELS
            },
        },
        "leaderboard": pd.DataFrame({
            "model": MODELS, "kind": ["model", "baseline", "baseline"], "rmse": [1.0, 2.0, 5.0],
            "mae": [1.0, 10.0, 9.0], "mase": [0.5, np.nan, 2.5], "skill_vs_best_baseline": [0.5, 0.0, -1.5],
        }),
        "by_step": pd.DataFrame({"h_step": [1, 2, 3], **wide}),
        "by_series": pd.DataFrame({"unique_id": SERIES, **wide}),
        "forecasts": forecasts(),
        "folds": pd.DataFrame({"cutoff": ["2024-01-01", "2024-01-02", "2024-01-03"], **wide}),
        "comparisons": pd.DataFrame({
            "model": ["Net"], "baseline": ["Naive"], "loss": ["mse"], "n_cutoffs": [6], "difference": [-1.0],
            "relative": [-0.5], "low_95": [-1.5], "high_95": [-0.5], "p_value": [0.01], "p_holm": [0.01],
        }),
        "reliability": pd.DataFrame({
            "model": ["Net"] * 2, "level": [0.1, 0.9], "below": [0.05, 0.9], "at_or_below": [0.15, 0.9],
        }),
        "coverage": {80.0: pd.DataFrame({"h_step": [1, 2, 3], "Net": [0.8, 0.7, 0.9]})},
        "attention": {"Net": attention()},
        "explained": [("Net", "Attention", f"It looks at lag 0. {EVIL}")],
        "modes": {"Net": pd.DataFrame({
            "real": [0.9, 0.3, 0.3], "imag": [0.0, 0.4, -0.4], "modulus": [0.9, 0.5, 0.5],
            "half_life": [6.58, 1.0, 1.0], "period": [np.inf, 6.77, 6.77], "explosive": False,
        })},
        "latent_errors": {"Net": pd.DataFrame({"h_step": [1, 2], "mse": [1.0, 2.0], "persistence": [1.5, 1.8]})},
        "history": pd.DataFrame({
            "model": ["Net"] * 3, "epoch": [0, 1, 2], "train_loss": [np.nan, 0.5, 0.4], "val_loss": [0.7, 0.6, 0.65],
        }),
        "settings": f"name: {EVIL}\n",
    }  # fmt: skip
    return Content(**{**known, **changes})
