"""The summary's tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from foretide.report.summary import SHOWN, SHOWN_COUNTS, bucket_table, shown_columns, table

BOARD = pd.DataFrame({
    "model": ["B", "A"], "mse": [1.0, 2.0], "rmse": [1.0, 1.41], "wql": [0.25, np.nan], "coverage_80": [0.8123, np.nan],
    "skill_vs_best_baseline": [0.5, 0.0],
})  # fmt: skip


def test_counts_show_laws_and_others_do_not() -> None:
    assert shown_columns({"counts": True}) == SHOWN_COUNTS
    assert shown_columns({}) == shown_columns({"counts": False}) == SHOWN
    text = table(BOARD, {"A": {"baseline": True}}, SHOWN_COUNTS).splitlines()
    assert text[0] == "| model | mse | wql | coverage 80 | skill vs best baseline | fit, s | forecast, s |"
    assert text[2] == "| B | 1 | 0.25 | 81.2% | 50.0% | – | – |"
    assert text[3] == "| A * | 2 | – | – | 0.0% | – | – |"
    assert "wql" not in table(BOARD, {})


def test_buckets_stand_side_by_side_in_the_order_of_the_leaderboard() -> None:
    buckets = pd.DataFrame({
        "model": ["A", "A", "B", "B"], "bucket": ["dense", "ultra"] * 2, "mse": [2.0, 0.1, 1.0, 0.2],
        "wql": [0.3, np.nan, 0.2, np.nan],
    })  # fmt: skip
    assert bucket_table(buckets, ["B", "A"]).splitlines() == [
        "| model | mse, dense | mse, ultra | wql, dense |",
        "| --- | ---: | ---: | ---: |",
        "| B | 1 | 0.2 | 0.2 |",
        "| A | 2 | 0.1 | 0.3 |",
    ]
