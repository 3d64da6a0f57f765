"""The content of a small report page, made by hand: every section, and names that would be markup."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from attention_weights import figures_of

from foretide.explain.latent.summary import DynamicsSummary
from foretide.explain.weights.faithfulness import Faithfulness
from foretide.report.content import AttentionWeights, Content, Explained, Future

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


def audit() -> dict[str, pd.DataFrame]:
    """Return an audit: one series with gaps that ends early, one that never changes, one with spikes."""
    figures = {"min": 0.0, "mean": 3.0, "max": 9.0, "std": [2.0, 0.0, 2.0], "zeros": [0.1, 0.0, 0.6]}
    return {
        "audit_columns": pd.DataFrame({
            "column": ["y", EVIL], "role": ["target", "past"], "min": 0.0, "mean": 3.0, "max": 9.0, "std": 2.0,
            "zeros": 0.2, "missing": [0.05, 0.0],
        }),
        "audit_series": pd.DataFrame({
            "series": SERIES, "first": "2023-10-01 00:00:00",
            "last": ["2024-01-02 06:00:00", "2024-01-09 00:00:00", "2024-01-09 00:00:00"], "steps": [93, 100, 100],
            **figures, "missing": [0.15, 0.0, 0.0], "constant_run": [2, 100, 3], "spikes": [0, 0, 4],
        }),
    }  # fmt: skip


def before() -> pd.DataFrame:
    """Return four days of truth up to the first cutoff, of the first series alone."""
    days = pd.date_range("2023-12-29", periods=4, freq="D")
    return pd.DataFrame({"unique_id": SERIES[0], "ds": days, "y": [1.0, 2.0, 3.0, 4.0]})


def future(series: tuple[str, ...] = SERIES, h: int = H) -> Future:
    """Return what comes after the forecasts: series ``k`` rises from ``10 k``, with bounds one and two beside."""
    days, past = pd.date_range("2024-01-10", periods=h, freq="D"), pd.date_range("2024-01-02", periods=8, freq="D")
    ahead, known = [], []
    for k, name in enumerate(series):
        mean = 10.0 * k + np.arange(1, h + 1)
        bounds = {f"{side}-{level}": mean + sign * size for level, size in ((80, 1), (95, 2))
                  for side, sign in (("lo", -1), ("hi", 1))}  # fmt: skip
        ahead.append(pd.DataFrame({"series": name, "time": days, "mean": mean, **bounds}))
        known.append(pd.DataFrame({"series": name, "time": past, "y": 10.0 * k + np.arange(8) % 3}))
    table = pd.concat(ahead, ignore_index=True)
    numbers = table.rename(columns={"series": "shop", "time": "day", "mean": "Net"})
    return Future("Net", table, pd.concat(known, ignore_index=True), (80.0, 95.0), numbers, "2024-01-06")


def attention(n: int = 5, seed: int = 0) -> AttentionWeights:
    """Return weights of two heads: head 1 on lag 0, head 2 as drawn; five lags."""
    drawn = np.random.default_rng(seed).dirichlet(np.ones(5), size=(n, 2, H)).astype(np.float32)
    drawn[:, 0] = np.eye(5, dtype=np.float32)[4]
    return AttentionWeights(drawn, [f"window {k}" for k in range(n)], [EVIL if k < 3 else "d" for k in range(n)])


def explained() -> list[Explained]:
    """Return what was found about attention, latent state and inputs, from figures made by hand."""
    return [
        Explained("Net", "Attention", [f"It looks at lag 0. {EVIL}"], attention_tables()),
        Explained("Net", "Latent state", ["It is stable."], latent_tables()),
        Explained("Net", "Inputs", ["It relies on its lags."], {"inputs": input_table()}),
    ]


def attention_tables() -> dict[str, pd.DataFrame]:
    """Tables of attention: those of the weights above, a test of faithfulness with 19 draws, and two regimes."""
    figures = figures_of(attention().weights, freq="D", seasons=(2,))
    draws = np.arange(1, 20) / 100
    steps = np.array([[1.0, 1.2, 1.4], [2.0, 2.4, 2.2], [1.1, 1.3, 2.4]])
    found = Faithfulness(1, 5, 1.2, 2.2, 1.2 + draws, 1.3 - draws, steps, (0.2, 0.9), 5, 5)
    regimes = pd.DataFrame({
        "figure": ["entropy", "mean lag"], "inside": [1.0, 2.0], "outside": [0.5, 2.1], "difference": [0.5, -0.1],
        "low": [0.1, -0.4], "high": [0.9, 0.2], "more_than_chance": [True, False], "n_inside": 2, "n_outside": 3,
        "level": 97.5, "events": "an event",
    })  # fmt: skip
    return {
        "lags_by_distance": figures.lag_importance(by="distance"), "lags": figures.lag_importance(),
        "entropy": figures.entropy(), "top1": figures.top1_counts(), "heads": figures.head_profiles().table,
        "horizon": figures.horizon_dependence(), **found.tables(), "regimes": regimes,
        "regime_profiles": pd.DataFrame({"distance": [1, 2, 3], "inside": [0.5, 0.3, 0.2], "outside": [0.3, 0.3, 0.4]}),
    }  # fmt: skip


def latent_tables(targets: int = 3, latents: int = 2, h: int = H, columns: int = 4, n: int = 40) -> dict[str, Any]:
    """Tables of a latent state as it is drawn at random: responses that fade, a path of two series of ``n`` days."""
    rng = np.random.default_rng(0)
    modes = pd.DataFrame({
        "real": [0.9, 0.3, 0.3], "imag": [0.0, 0.4, -0.4], "modulus": [0.9, 0.5, 0.5], "half_life": [6.58, 1.0, 1.0],
        "period": [np.inf, 6.77, 6.77], "explosive": False,
    })  # fmt: skip
    errors = pd.DataFrame({
        "h_step": [1, 2], "n": 30, "mse": [1.0, 2.0], "persistence": [1.5, 1.8], "difference": [-0.5, 0.2],
        "low": [-0.9, -0.3], "high": [-0.1, 0.7], "level": 95.0,
    })  # fmt: skip
    fade = 0.8 ** np.arange(h)[:, None, None]
    names = tuple(f"z{k + 1}" for k in range(latents))
    days = pd.date_range("2024-01-01", periods=n, freq="D").astype(str)
    states = {name: rng.normal(size=2 * n) for name in names}
    path = pd.DataFrame({"unique_id": np.repeat([EVIL, "d"], n), "ds": np.tile(days, 2), **states})
    summary = DynamicsSummary(
        "Net", "var", names, (EVIL, *(f"item {k}" for k in range(1, targets))),
        (EVIL, *(f"column {k}" for k in range(1, columns))), np.array([0.9, 0.3 + 0.4j, 0.3 - 0.4j]),
        np.eye(latents), "cholesky", tuple(range(latents)), fade * rng.normal(size=(h, latents, latents)),
        fade * rng.normal(size=(h, targets, latents)), np.full((h, targets), 2.0),
        rng.normal(size=(columns, latents)), rng.uniform(-1, 1, size=(columns, latents)), False, 30, 95.0, path, errors,
    )  # fmt: skip
    about = pd.DataFrame([{"shocks": "cholesky", "order": ", ".join(names)}])
    path = path.assign(fitted=np.tile(np.arange(n) < n // 2, 2))
    return {**summary.frames(), "modes": modes, "latent_errors": errors, "path": path, "latent_about": about}


def input_table() -> pd.DataFrame:
    """Return three inputs, two kinds; the first two matter by more than chance. The error is 2."""
    return pd.DataFrame({
        "group": [EVIL, "lags 0-2", "b"], "kind": ["past", "lags", "past"], "increase": [4.0, 1.0, -0.1],
        "relative": [2.0, 0.5, -0.05], "low": [3.0, 0.5, -0.3], "high": [5.0, 1.5, 0.1], "p_value": [0.001, 0.01, 0.6],
        "p_holm": [0.003, 0.02, 0.6], "more_than_chance": [True, True, False], "repeat_sd": 0.1, "metric": "mse",
        "loss": 2.0, "level": 95.0,
    })  # fmt: skip


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
        **audit(),
        "forecasts": forecasts(),
        "future": future(),
        "levels": {"Net": (80.0, 95.0)},
        "before": before(),
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
        "explained": explained(),
        "history": pd.DataFrame({
            "model": ["Net"] * 3, "epoch": [0, 1, 2], "train_loss": [np.nan, 0.5, 0.4], "val_loss": [0.7, 0.6, 0.65],
        }),
        "settings": f"name: {EVIL}\n",
    }  # fmt: skip
    return Content(**{**known, **changes})
