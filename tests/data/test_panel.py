from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from foretide.data.panel import Panel
from foretide.errors import ConfigError, DataError


def panel() -> Panel:
    rng = np.random.default_rng(0)
    parts = [
        pd.DataFrame({
            "shop": name, "day": pd.date_range(start, periods=n), "y": rng.normal(size=n), "x": rng.normal(size=n),
            "area": float(n),
        })
        for name, start, n in (("a", "2024-01-01", 10), ("b", "2024-01-06", 12), ("c", "2024-01-03", 4))
    ]  # fmt: skip
    return Panel.from_frame(pd.concat(parts), id="shop", time="day", past=["x"], static=["area"])


def test_until_is_a_view_that_ends_at_the_time() -> None:
    whole = panel()
    part = whole.until("2024-01-04")
    assert part.ids == ("a", "c")
    assert part.length.tolist() == [4, 2]
    assert part.static.values[:, 0].tolist() == [10, 4]
    assert np.shares_memory(part.values, whole.values)
    frame = part.to_frame()
    assert frame["day"].max() == pd.Timestamp("2024-01-04")
    twin = whole.to_frame().query("day <= '2024-01-04'").reset_index(drop=True)
    pd.testing.assert_frame_equal(frame, twin)
    with pytest.raises(DataError, match=r"No series has a value up to 2023-01-01.*starts at 2024-01-01"):
        whole.until("2023-01-01")


def test_names_and_parts() -> None:
    whole = panel()
    assert (whole.n_entities, whole.n_targets, whole.series) == (3, 1, ("a", "b", "c"))
    assert whole.last.tolist() == [9, 16, 5]
    assert (whole.index("x"), whole.entity("c")) == (1, 2)
    np.testing.assert_array_equal(whole.take([2, 0]).rows(0), whole.rows(2))
    assert list(whole.to_frame().columns) == ["shop", "day", "y", "x", "area"]
    assert "3 entities x 1 targets, 1 past; 26 rows, every D" in repr(whole)
    with pytest.raises(DataError, match=r"no column 'xx'. Did you mean 'x'"):
        whole.index("xx")
    with pytest.raises(DataError, match="no entity 'd'"):
        whole.entity("d")
    with pytest.raises(ConfigError, match=r"Expected values of shape \(26, 2\), got \(3, 2\)"):
        whole.with_values(np.zeros((3, 2)))


def test_several_targets_name_their_series() -> None:
    frame = panel().to_frame()
    both = Panel.from_frame(frame, id="shop", time="day", target=["y", "x"])
    assert both.series == ("a/y", "a/x", "b/y", "b/x", "c/y", "c/x")
    one = Panel.from_wide(frame[frame["shop"] == "a"], time="day", target=["y", "x"])
    assert one.series == ("y", "x")


def test_a_missing_category_stays_missing() -> None:
    frame = pd.DataFrame({
        "unique_id": np.repeat(["a", "b", "c"], 3), "ds": np.tile(pd.date_range("2024-01-01", periods=3), 3),
        "y": np.arange(9.0), "kind": np.repeat(np.array(["new", None, "old"], dtype=object), 3),
    })  # fmt: skip
    made = Panel.from_frame(frame, static=["kind"], missing="mask")
    assert made.static.categories == {"kind": ("new", "old")}
    np.testing.assert_array_equal(made.static.values[:, 0], [0, np.nan, 1])
    assert made.to_frame()["kind"].isna().tolist() == frame["kind"].isna().tolist()
    with pytest.raises(DataError, match="Series 'b', column 'kind': 1 missing static value"):
        Panel.from_frame(frame, static=["kind"])


def test_since_is_a_view_that_begins_at_the_time() -> None:
    whole = panel()
    part = whole.since("2024-01-07")
    assert part.ids == ("a", "b")
    assert part.length.tolist() == [4, 11]
    assert part.first.tolist() == [6, 6]
    assert part.values is whole.values
    np.testing.assert_array_equal(part.rows(0), whole.rows(0)[6:])
    np.testing.assert_array_equal(part.rows(1), whole.rows(1)[1:])
    assert whole.since("2023-01-01").length.tolist() == whole.length.tolist()
    # Between two steps the next one is the first.
    assert whole.since("2024-01-06 12:00").first.tolist() == [6, 6]
    assert part.until("2024-01-08").length.tolist() == [2, 2]
    with pytest.raises(DataError, match="No series has a value from 2025-01-01 on: the panel ends at 2024-01-17"):
        whole.since("2025-01-01")


def test_a_notebook_shows_roles_and_escapes_names() -> None:
    frame = pd.DataFrame(
        {"ds": pd.date_range("2024-01-01", periods=9), "<script>": np.arange(9.0), "x": [np.nan, *range(8)]}
    )
    made = Panel.from_wide(frame, target="<script>", past=["x"], missing="mask")
    html = made._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "<th>known up to the cutoff</th><td>x</td>" in html
    assert "<th>missing cells</th><td>1</td>" in html
    assert "<td>a, b, c</td>" in panel()._repr_html_()
