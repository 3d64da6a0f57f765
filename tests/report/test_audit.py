"""The audit of the data in words and tables."""

from __future__ import annotations

import numpy as np
import pages
import pandas as pd

from foretide.report.run.audit import audit_lines, data
from foretide.report.section import sortable, text_of


def test_what_stands_out_is_said() -> None:
    (said,) = audit_lines(pages.content())
    assert said == (
        "Of 3 series: 1 with missing values (up to 15.0% of one); 1 zero more than 50% of the time (up to 60.0%); "
        "1 without any change; 1 with spikes (4 values farther than 6 robust standard deviations from those one season "
        "before and after); 1 that end before 2024-01-09"
    )


def test_nothing_to_say() -> None:
    table = pages.audit()["audit_series"].assign(missing=0.0, zeros=0.0, std=1.0, spikes=0, last="2024-01-09 00:00:00")
    (said,) = audit_lines(pages.content(audit_series=table))
    assert said.startswith("Nothing stands out in 3 series: no missing value,")
    assert audit_lines(pages.content(audit_series=None)) == []
    every = pages.audit()["audit_series"].assign(missing=0.2, zeros=0.0, std=1.0, spikes=0, last=None, first=None)
    assert audit_lines(pages.content(audit_series=every)) == [
        "Of 3 series: all with missing values (up to 20.0% of one)"
    ]


def test_tables_show_shares_and_times() -> None:
    columns, series = data(pages.content()).tables
    assert [column.name for column in columns.columns] == [
        "column",
        "role",
        "min",
        "mean",
        "max",
        "std",
        "zeros",
        "missing",
    ]
    assert [text_of(v, c.kind) for v, c in zip(columns.rows[0], columns.columns, strict=True)] == [
        "y",
        "target",
        "0",
        "3",
        "9",
        "2",
        "20.0%",
        "5.0%",
    ]
    first = {c.name: text_of(v, c.kind) for v, c in zip(series.rows[0], series.columns, strict=True)}
    assert (first["first"], first["last"]) == ("2023-10-01", "2024-01-02 06:00:00")
    assert (first["missing"], first["constant run"]) == ("15.0%", "2")


def test_times_that_are_numbers_and_many_series() -> None:
    table = pd.DataFrame({
        "series": [f"s{k}" for k in range(300)], "first": 0, "last": [123456] * 299 + [np.nan], "steps": 5, "std": 1.0,
        "zeros": 0.0, "missing": 0.0, "spikes": 0,
    })  # fmt: skip
    made = data(pages.content(audit_columns=None, audit_series=table)).tables[0]
    assert made.caption == "Every series. The first 200 of 300."
    assert text_of(made.rows[0][2], made.columns[2].kind) == "123456"
    assert sortable(made.rows[0][2]) == 123456
