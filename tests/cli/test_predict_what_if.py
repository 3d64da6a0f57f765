"""``foretide predict --what-if``."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
from command_line import foretide


def test_what_differs_is_printed(tmp_path: Path) -> None:
    days = pd.date_range("2024-01-01", periods=124)
    promo = np.arange(124) % 3 == 0
    frame = pd.DataFrame({"unique_id": "a", "ds": days, "y": 10.0 + 5.0 * promo, "promo": 1 * promo})
    frame.loc[120:, "y"] = np.nan
    frame.to_csv(tmp_path / "sales.csv", index=False)
    words = "data: {path: sales.csv, future: [promo]}\nh: 4\nmodels: [{Ridge: {input_size: 7}}]\nbaselines: false\n"
    (tmp_path / "config.yaml").write_text(words)
    foretide("fit", "config.yaml", "--out", "model", cwd=tmp_path)
    done = foretide("predict", "model", "sales.csv", "--what-if", "promo=0", "--levels", "80", cwd=tmp_path)
    table = pd.read_csv(io.StringIO(done.stdout))
    np.testing.assert_allclose(table["difference"], [-5, 0, 0, -5], atol=0.3)
    assert "difference-lo-80" in table
    assert "not what changing the column would cause" in done.stderr
    wrong = foretide("predict", "model", "sales.csv", "--what-if", "promo", cwd=tmp_path, code=2)
    assert "--what-if promo=0" in wrong.stderr
