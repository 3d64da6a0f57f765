"""What was found about a model as plain tables, from which pictures and the page are made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from foretide.errors import DataError

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.explain.importance.summary import InputImportance
    from foretide.explain.latent.summary import DynamicsSummary
    from foretide.explain.weights.faithfulness import Faithfulness
    from foretide.explain.weights.summary import AttentionSummary
    from foretide.forecasters.base import Forecaster

    Found = tuple[list[str], dict[str, pd.DataFrame]]

TEXT = (
    "name", "shock", "target", "column", "latent", "group", "kind", "figure", "events", "verdict", "shocks", "order",
    "metric",
)  # fmt: skip
"""Columns of text."""


def attention_found(summary: AttentionSummary) -> Found:
    """Sentences and tables about attention: where it looks, whether to believe it, and what events change."""
    tables = {
        "lags_by_distance": summary.lag_importance(by="distance"), "lags": summary.lag_importance(),
        "entropy": summary.entropy(), "top1": summary.top1_counts(), "heads": summary.head_profiles().table,
        "horizon": summary.horizon_dependence(),
    }  # fmt: skip
    said = summary.sentences()
    belief = summary.belief
    if belief is not None:
        tables |= faithfulness_tables(belief)
    try:
        split = summary.by_regime()
    except DataError as error:
        why = str(error).partition(" Give ")[0]  # what to type is for those who call it
        said.append(f"Attention inside event windows was not compared with the rest. {why}")
    else:
        said.append(split.text())
        n = int(split.inside.sum())
        about: dict[str, Any] = {
            "more_than_chance": split.table.index.isin(split.differing.index), "n_inside": n,
            "n_outside": len(split.inside) - n, "level": split.level, "events": split.about,
        }  # fmt: skip
        tables |= {"regimes": split.table.assign(**about), "regime_profiles": split.profiles}
    return said, tables


def faithfulness_tables(found: Faithfulness) -> dict[str, pd.DataFrame]:
    """Figures of the test of faithfulness.

    Returns
    -------
    dict
        ``faithfulness``, one row: errors without a mask, with the most attended lags masked, and the means of the
        ``random`` masks and of the ``moved`` weights; ``difference, low, high`` as shares of the error; p-values, sizes
        and verdict. ``faithfulness_by_step``: ``h_step, error, attended, random``. ``faithfulness_draws``: ``draw,
        random, moved``, the errors of each relabelling.
    """
    one = {
        "error": found.error, "attended": found.attended, "random": float(found.random.mean()),
        "moved": float(found.moved.mean()), "difference": found.difference, "low": found.interval[0],
        "high": found.interval[1], "p_masking": found.p_masking, "p_moving": found.p_moving, "k": found.k,
        "lookback": found.lookback, "draws": len(found.random), "n_windows": found.n_windows,
        "n_cutoffs": found.n_cutoffs, "verdict": found.verdict,
    }  # fmt: skip
    steps = dict(zip(("error", "attended", "random"), found.by_step, strict=True))
    return {
        "faithfulness": pd.DataFrame([one]),
        "faithfulness_by_step": pd.DataFrame({"h_step": np.arange(1, found.by_step.shape[1] + 1), **steps}),
        "faithfulness_draws": pd.DataFrame({
            "draw": np.arange(1, len(found.random) + 1), "random": found.random, "moved": found.moved,
        }),
    }  # fmt: skip


def latent_found(summary: DynamicsSummary, forecaster: Forecaster, panel: Panel) -> Found:
    """Sentences and tables about a latent state; its path says which rows ``fit`` saw, where that is known."""
    tables = {name: as_pandas(table) for name, table in summary.frames().items()}
    tables["latent_errors"] = tables["latent_errors"].assign(level=summary.level)
    until, path = forecaster.fitted_step(panel), tables["path"]
    if until is not None and len(path):
        tables["path"] = path.assign(fitted=panel.grid.steps_of(pd.Index(path.iloc[:, 1])) <= until)
    tables["latent_about"] = pd.DataFrame([{
        "kind": summary.kind, "shocks": summary.shocks,
        "order": ", ".join(summary.latents[k] for k in summary.order), "n_windows": summary.n_windows,
        "in_sample": summary.in_sample, "level": summary.level, "latents": len(summary.latents),
        "targets": len(summary.targets), "columns": len(summary.columns),
    }])  # fmt: skip
    return summary.sentences(), tables


def inputs_found(importance: InputImportance) -> Found:
    """Sentences and table about inputs; the table says in which loss and at which level of the intervals."""
    about: dict[str, Any] = {"metric": importance.metric, "loss": importance.loss, "level": importance.level}
    return importance.sentences(), {"inputs": as_pandas(importance.table()).assign(**about)}


def read_table(file: Path, name: str) -> pd.DataFrame:
    """Read a table that was written as CSV: names stay text, whether they look like numbers or like "NA".

    Parameters
    ----------
    file : Path
    name : str
        Of the table, ``path`` for one: its first column holds series.
    """
    columns = [str(c) for c in pd.read_csv(file, nrows=0).columns]
    text = {c for k, c in enumerate(columns) if c in TEXT or (name == "path" and k == 0)}
    missing = {c: ["", "nan"] for c in columns if c not in text}
    return pd.read_csv(file, dtype=dict.fromkeys(text, str), keep_default_na=False, na_values=missing)


def as_pandas(table: Any) -> pd.DataFrame:
    """Return a table of either kind as a pandas one."""
    return table if isinstance(table, pd.DataFrame) else table.to_pandas()
