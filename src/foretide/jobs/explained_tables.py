"""Reading the tables that explanations were written to."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

TEXT = (
    "name", "shock", "target", "column", "latent", "group", "kind", "figure", "events", "verdict", "shocks", "order",
    "metric",
)  # fmt: skip
"""Columns of text."""


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
