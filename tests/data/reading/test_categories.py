from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from foretide.data.audit import column_audit
from foretide.data.panel import Panel
from foretide.data.reading.categories import most_frequent
from foretide.data.reading.checks import DataWarning, inspect
from foretide.errors import DataError

pytestmark = pytest.mark.frames

EVENTS = ["delivery", None, "payday", None, None, "payday", "", "  ", None, None, None, None]


def frame(**columns: Any) -> pd.DataFrame:
    days = pd.date_range("2024-01-01", periods=12)
    made = {"unique_id": "a", "ds": days, "y": np.arange(12.0), "x": np.arange(12.0) ** 2, "event": EVENTS}
    return pd.DataFrame({**made, **columns})


BACKENDS = {
    "objects": lambda f: f,
    "polars": pl.from_pandas,
    "string": lambda f: f.assign(event=f["event"].astype("string")),
    "category": lambda f: f.assign(event=f["event"].replace(["", "  "], None).astype("category")),
    "arrow": lambda f: f.assign(event=f["event"].astype(pd.ArrowDtype(pytest.importorskip("pyarrow").string()))),
    "polars-category": lambda f: pl.from_pandas(f).with_columns(pl.col("event").cast(pl.Categorical)),
}


def labels_of(table: Any) -> list[str | None]:
    """The events of a frame; pandas 3 has NaN where others have None."""
    return [None if cell is None or cell != cell else str(cell) for cell in table["event"]]


@pytest.mark.parametrize("role", ["past", "future"])
@pytest.mark.parametrize("backend", sorted(BACKENDS))
def test_text_becomes_codes_with_labels(backend: str, role: str) -> None:
    given = BACKENDS[backend](frame())
    roles: dict[str, Any] = {"past": ["x"], role: ["x", "event"] if role == "past" else ["event"]}
    panel = Panel.from_frame(given, **roles)
    assert panel.categories == {"event": ("delivery", "payday")}
    np.testing.assert_array_equal(panel.values[:6, 2], [0, np.nan, 1, np.nan, np.nan, 1])
    assert np.isnan(panel.values[6:, 2]).all()
    back = panel.to_frame()
    assert type(back) is type(given)
    assert labels_of(back)[:3] == ["delivery", None, "payday"]
    for part in (panel.until("2024-01-05"), panel.since("2024-01-03"), panel.take([0])):
        assert part.categories == panel.categories
    assert "1 text" in repr(panel)
    assert "event: delivery, payday" in panel._repr_html_()


def test_labels_are_sorted_whatever_the_order_of_rows() -> None:
    shuffled = frame().sample(frac=1, random_state=1)
    np.testing.assert_array_equal(
        Panel.from_frame(shuffled, future=["event"]).values, Panel.from_frame(frame(), future=["event"]).values
    )


def test_words_for_yes_and_no_and_categorical_numbers_are_labels() -> None:
    panel = Panel.from_frame(frame(event=["True", "False"] * 6, x=pd.Categorical([1, 2, 10] * 4)), past=["event", "x"])
    assert panel.categories == {"event": ("False", "True"), "x": ("1", "10", "2")}


@pytest.mark.parametrize("missing", ["error", "mask", "ffill"])
def test_an_empty_cell_is_none_of_the_categories_under_every_policy(missing: str) -> None:
    panel = Panel.from_frame(frame(), future=["event"], missing=missing)
    assert int(np.isnan(panel.values[:, 1]).sum()) == 9
    report = inspect(frame(), future=["event"], missing=missing)
    assert report.ok
    assert any("Column 'event': 9 rows have no text, which is taken as none of its" in str(p) for p in report.notes)
    assert "event (future): text, 2 categories: delivery, payday, 9 missing" in report.to_text()


def test_a_gap_that_is_filled_holds_none_of_them() -> None:
    panel = Panel.from_frame(frame().drop(index=[2]), future=["event"], fill_gaps=True, missing="mask")
    assert panel.length[0] == 12
    assert np.isnan(panel.values[2]).all()


def test_numbers_before_a_first_sale_are_refused_or_marked() -> None:
    early = frame(x=[np.nan] * 3 + [2.5] * 4 + [3.0] * 5)
    with pytest.raises(DataError, match=r"Column 'x': 3 missing values|column 'x': 3 missing values.*missing=\"mask\""):
        Panel.from_frame(early, future=["x"])
    assert np.isnan(Panel.from_frame(early, future=["x"], missing="mask").values[:3, 1]).all()


def test_resampled_text_is_the_most_frequent_of_a_step() -> None:
    weekly = Panel.from_frame(frame(), future=["event"], resample="W-SUN")
    assert set(labels_of(weekly.to_frame())) <= {"delivery", "payday", None}
    twin = [[0.0, 1, 1, np.nan], [2, 0], [np.nan], [1, 0, 0, 1]]
    starts = np.cumsum([0, *map(len, twin)])[:-1]
    np.testing.assert_array_equal(most_frequent(np.concatenate(twin), starts), [1, 0, np.nan, 0])


def test_one_label_everywhere_warns_and_one_label_here_and_there_does_not() -> None:
    with pytest.warns(DataWarning, match="Column 'event': always 'none', so nothing can be learned"):
        Panel.from_frame(frame(event="none"), future=["event"])
    assert Panel.from_frame(frame(event=["sale", None] * 6), future=["event"]).categories == {"event": ("sale",)}


def test_very_many_labels_are_free_text() -> None:
    long = pd.DataFrame({"ds": pd.date_range("2020-01-01", periods=2500), "y": 1.0 * np.arange(2500)})
    with pytest.raises(DataError, match=r"Column 'c': 1250 different texts in 2500 rows are no categories.*Leave the"):
        Panel.from_frame(long.assign(c=[f"n{k // 2}" for k in range(2500)]), id=None, past=["c"])


def test_the_audit_shows_no_quantities_of_labels() -> None:
    table = column_audit(Panel.from_frame(frame(), future=["event"])).set_index("column")
    assert np.isnan(table.loc["event", "mean"])
    assert table.loc["event", "missing"] == 0.75


def test_panels_without_text_have_no_categories() -> None:
    assert Panel.from_frame(frame(), past=["x"]).categories == {}
