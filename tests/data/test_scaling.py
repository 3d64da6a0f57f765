from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.data.panel import Panel
from foretide.data.scaling import SCALERS, Scaler
from foretide.errors import ConfigError, DataError


def make(seed: int = 0, missing: float = 0.1) -> tuple[pd.DataFrame, Panel]:
    rng = np.random.default_rng(seed)
    parts = []
    for i, n in enumerate((40, 25, 61)):
        values = rng.normal(loc=10 * i, scale=1 + i, size=(n, 3))
        values[rng.uniform(size=(n, 3)) < missing] = np.nan
        values[-1] = 1.0
        part = pd.DataFrame(values, columns=["y", "a", "b"])
        parts.append(part.assign(unique_id=f"s{i}", ds=pd.date_range("2024-01-01", periods=n)))
    frame = pd.concat(parts)
    return frame, Panel.from_frame(frame, past=["a"], future=["b"], missing="mask")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", sorted(SCALERS))
def test_location_and_scale_agree_with_pandas(kind: str, seed: int) -> None:
    frame, panel = make(seed)
    scaler = Scaler.fit(panel, kind=kind)
    groups = frame.groupby("unique_id")[["y", "a", "b"]]
    iqr = groups.quantile(0.75) - groups.quantile(0.25)
    twins = {
        "standard": (groups.mean(), groups.std(ddof=0)),
        "robust": (groups.median(), iqr / 1.3489795003921634),
        "minmax": (groups.min(), groups.max() - groups.min()),
        "none": (groups.min() * 0, groups.min() * 0 + 1),
    }
    np.testing.assert_allclose(scaler.location, twins[kind][0])
    np.testing.assert_allclose(scaler.scale, twins[kind][1])


@settings(max_examples=40)
@given(
    values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30),
    kind=st.sampled_from(sorted(SCALERS)),
    probe=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=10),
)
def test_inverse_undoes_transform(values: list[float], kind: str, probe: list[float]) -> None:
    days = pd.date_range("2024-01-01", periods=len(values) + 2)
    frame = pd.DataFrame({"ds": days, "y": [*values, 1.0, 2.0]})
    scaler = Scaler.fit(Panel.from_wide(frame, target="y"), kind=kind)
    assert (scaler.scale > 0).all()
    x = np.array(probe)[:, None]
    size = np.abs(x).max() + np.abs(scaler.location).max()
    np.testing.assert_allclose(scaler.inverse(scaler.transform(x)), x, rtol=1e-9, atol=1e-9 * (1 + size))


@pytest.mark.parametrize("value", [0.0, 0.1, 5.0, 1e9, -3e-7])
@pytest.mark.parametrize("kind", ["standard", "robust", "minmax"])
@pytest.mark.filterwarnings("ignore:Column 'c'")
def test_constant_and_empty_columns_get_scale_one(kind: str, value: float) -> None:
    frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=37), "y": np.arange(37.0), "c": value, "e": np.nan})
    panel = Panel.from_wide(frame, target="y", past=["c", "e"], missing="mask")
    scaler = Scaler.fit(panel, kind=kind)
    np.testing.assert_array_equal(scaler.scale[0, 1:], [1, 1])
    np.testing.assert_allclose(scaler.location[0, 1:], [value, 0])


def test_a_small_spread_on_a_large_level_is_kept() -> None:
    y = 1e7 + np.array([0.0, 1.0] * 20)
    frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=40), "y": y})
    assert Scaler.fit(Panel.from_wide(frame, target="y")).scale[0, 0] == pytest.approx(0.5)


def test_the_scaler_sees_its_slice_only_and_remembers_it() -> None:
    frame, panel = make()
    part = panel.until("2024-01-20")
    scaler = Scaler.fit(part)
    assert (scaler.seen_from, scaler.seen_to, scaler.rows) == ("2024-01-01 00:00:00", "2024-01-20 00:00:00", 60)
    poisoned = frame.copy()
    poisoned.loc[poisoned["ds"] > "2024-01-20", ["y", "a", "b"]] = 1e9
    again = Panel.from_frame(poisoned, past=["a"], future=["b"], missing="mask").until("2024-01-20")
    np.testing.assert_array_equal(Scaler.fit(again).location, scaler.location)
    np.testing.assert_array_equal(Scaler.fit(again).scale, scaler.scale)


def test_transform_of_windows_matches_a_loop() -> None:
    _, panel = make(missing=0)
    scaler = Scaler.fit(panel, ["b", "y"])
    entity = np.array([2, 0, 1, 2])
    values = np.random.default_rng(0).normal(size=(4, 7, 2))
    expected = np.stack([(v - scaler.location[e]) / scaler.scale[e] for v, e in zip(values, entity, strict=True)])
    np.testing.assert_allclose(scaler.transform(values, entity), expected)
    np.testing.assert_allclose(scaler.inverse(expected, entity), values)
    np.testing.assert_allclose(scaler.transform(values[..., 1:], entity, ["y"]), expected[..., 1:])
    np.testing.assert_allclose(scaler.transform(values[0], 2), expected[0])
    np.testing.assert_allclose(scaler.transform(values[:, 0], entity), expected[:, 0])


def test_transform_panel_matches_entities_by_name() -> None:
    _, panel = make(missing=0)
    scaler = Scaler.fit(panel, ["y", "b"])
    scaled = scaler.transform_panel(panel.take([2, 0]))
    np.testing.assert_allclose(scaled.rows(0)[:, 0], (panel.rows(2)[:, 0] - scaler.location[2, 0]) / scaler.scale[2, 0])
    np.testing.assert_array_equal(scaled.rows(1)[:, 1], panel.rows(0)[:, 1])  # column a was not fitted
    assert panel.rows(2)[0, 0] != scaled.rows(0)[0, 0]
    whole = Scaler.fit(panel).transform_panel(panel)
    for i in range(3):
        np.testing.assert_allclose(whole.rows(i).mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(whole.rows(i).std(axis=0), 1)
    with pytest.raises(DataError, match="not fitted on series 's1'"):
        Scaler.fit(panel.take([0, 2])).transform_panel(panel)


def test_facts_go_through_json() -> None:
    _, panel = make()
    scaler = Scaler.fit(panel, kind="robust")
    again = Scaler.from_dict(json.loads(json.dumps(scaler.to_dict())))
    np.testing.assert_array_equal(again.location, scaler.location)
    np.testing.assert_array_equal(again.scale, scaler.scale)
    assert again.to_dict() == scaler.to_dict()
    with pytest.raises(ConfigError, match=r"no facts of a scaler: .*rows missing"):
        Scaler.from_dict({"kind": "standard"})


def test_wrong_names() -> None:
    _, panel = make()
    with pytest.raises(ConfigError, match=r"no scaler 'standart'. Did you mean 'standard'"):
        Scaler.fit(panel, kind="standart")
    with pytest.raises(DataError, match=r"no column 'yy'. Did you mean 'y'"):
        Scaler.fit(panel, ["yy"])
    with pytest.raises(ConfigError, match="not fitted on column 'a'"):
        Scaler.fit(panel, ["y"]).transform(np.zeros((2, 1)), 0, ["a"])


def test_ten_thousand_entities() -> None:
    n = 10_000
    one = np.ones(n, dtype=np.int64)
    base = make()[1]
    values = np.random.default_rng(0).normal(size=(n * 5, 3))
    panel = Panel(
        base.grid, tuple(map(str, range(n))), values, np.arange(n) * 5, 5 * one, 0 * one, ("y",), ("a",), ("b",)
    )
    np.testing.assert_allclose(Scaler.fit(panel).location, values.reshape(n, 5, 3).mean(axis=1), atol=1e-12)
