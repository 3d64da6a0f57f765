"""One target and many series: buckets and heads are those of the wide layout of the same data."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import foretide as ft
from foretide.data.counts import BUCKETS
from foretide.data.panel import Panel
from foretide.data.synthetic.supplies import supplies
from foretide.forecasters.forecast import Forecast
from foretide.forecasters.lavar.lavar import LAVAR

H = 7
UNTIL, CUTOFFS = "2019-11-15", ["2019-11-20", "2019-11-23"]
QUICK: dict[str, Any] = {"order": 3, "latent": 2, "encoder": (6,), "decoder": (6,), "epochs": 1, "head_epochs": 1}


@cache
def goods() -> Panel:
    return supplies(T=340, n_targets=8, n_covariates=6, seed=1).panel


@cache
def usual() -> LAVAR:
    return lavar().fit(goods(), until=UNTIL)


def lavar(**changes: Any) -> LAVAR:
    return LAVAR(H, **{**QUICK, **changes})


def sensible(found: Forecast, *, counts: bool = False) -> None:
    """Finite, in order; of counts whole numbers of at least zero."""
    assert found.quantiles is not None
    assert np.isfinite(found.mean).all()
    assert np.isfinite(found.quantiles).all()
    assert (np.diff(found.quantiles, axis=-1) >= 0).all()
    if counts:
        assert (found.quantiles >= 0).all()
        np.testing.assert_array_equal(found.quantiles, np.round(found.quantiles))


def same(a: Forecast, b: Forecast) -> None:
    np.testing.assert_array_equal(a.mean, b.mean)
    np.testing.assert_array_equal(a.quantiles, b.quantiles)


def melted(panel: Panel) -> pd.DataFrame:
    """One row per series and day, covariates and holidays beside each."""
    frame = pd.DataFrame(panel.to_frame())
    others = ["ds", *panel.past, *panel.future]
    return frame.melt(id_vars=others, value_vars=list(panel.targets), var_name="unique_id", value_name="y")


def as_long(panel: Panel) -> Panel:
    return Panel.from_frame(melted(panel), past=panel.past, future=panel.future)


def test_buckets_of_the_long_layout_are_those_of_the_wide_one() -> None:
    model = lavar().fit(as_long(goods()), until=UNTIL)
    table, wide = model.bucket_table(), usual().bucket_table()
    assert list(table.columns) == ["series", "target", "nonzero_rate", "bucket", "head", "why"]
    beside = table.set_index("series").loc[wide["target"]].reset_index()
    pd.testing.assert_frame_equal(beside[["nonzero_rate", "bucket", "head", "why"]], wide.drop(columns="target"))
    found = model.predict(as_long(goods()), CUTOFFS)
    sensible(found, counts=True)
    start = lavar(head_epochs=0, epochs=0, effects=False)
    a = start.fit(goods(), until=UNTIL).predict(goods(), CUTOFFS)
    b = start.fresh().fit(as_long(goods()), until=UNTIL).predict(as_long(goods()), CUTOFFS)
    names = np.array(b.panel.ids)[b.windows.entity]
    for j, name in enumerate(goods().targets):
        np.testing.assert_allclose(b.mean[names == name][..., 0], a.mean[:, :, j], rtol=0.02, atol=0.02)


def test_a_new_series_of_the_long_layout_gets_the_head_of_its_own_rate(tmp_path: Path) -> None:
    panel = as_long(goods())
    table = usual().bucket_table().set_index("target")["bucket"]
    assert set(table) == {"dense", "sparse", "ultra"}
    model = lavar(heads=("point", "nb", "zinb")).fit(panel.take(range(2, 8)), until=UNTIL)
    past = panel.until(UNTIL)
    new = model._parts().for_new(past)
    for i, name in enumerate(panel.ids):
        whole = float((past.rows(i)[:, 0] > 0).mean())
        assert BUCKETS[new.buckets[i, 0]] == ("dense" if whole >= 0.7 else "ultra" if whole <= 0.005 else "sparse"), (
            name
        )
    model.save(tmp_path / "model")
    found = model.predict(panel, CUTOFFS)
    same(found, ft.load(tmp_path / "model").predict(panel, CUTOFFS))
    sensible(found)


# ------------------------------------------------------------------ zeros are left
def campaigns(n: int = 6, rows: int = 400, silent: bool = False) -> Panel:
    """Series that sell nothing but on announced days, eight of them then; the last may not have been sold before."""
    rng = np.random.default_rng(3)
    ds = pd.date_range("2022-01-03", periods=rows)
    frames = []
    for k in range(n):
        campaign = rng.random(rows) < 0.3
        y = np.where(campaign, rng.poisson(8.0, rows) + 0.5, 0.0)
        if silent and k == n - 1:
            y[:-30] = 0.0
        frames.append(pd.DataFrame({"unique_id": f"p{k}", "ds": ds, "y": y, "campaign": campaign.astype(float)}))
    return Panel.from_frame(pd.concat(frames), future=["campaign"], freq="D")


@pytest.mark.parametrize("heads", ["auto", ("point",) * 3])
def test_a_zero_of_the_last_value_is_left_where_the_known_future_says_so(heads: Any) -> None:
    panel = campaigns()
    cutoffs = list(panel.grid.output_times(np.arange(360, 392)))
    kw: dict[str, Any] = {"base": "last", "epochs": 0, "effects": False, "calendar": None, "head_epochs": 40}
    model = LAVAR(H, order=3, latent=2, head_lr=0.02, heads=heads, **kw).fit(panel, until=cutoffs[0])
    found = model.predict(panel, cutoffs, base=True)
    truth, base = found.truth(), found.extras["base"]
    left = found.mean[(base == 0) & (truth > 0)]
    stays = found.mean[(base == 0) & (truth == 0)]
    assert len(left) > 100
    assert np.mean(left) > 5
    assert np.mean(stays) < 2


def test_what_is_corrected_in_units() -> None:
    """Single values of series with zeros, bases that may be negative, and silence; the rest by a share of the base."""
    panel = campaigns(silent=True)
    until = panel.grid.output_times([360])[0]
    settings: dict[str, Any] = {"epochs": 0, "effects": False, "head_epochs": 0}
    parts = {base: lavar(base=base, **settings).fit(panel, until=until)._parts() for base in ("last", "level")}
    assert not parts["last"].positive.any()
    assert parts["level"].positive[:, 0].tolist() == [True] * 5 + [False]
    # What was never sold has shown no size: one unit is the usual one.
    unit = parts["level"].unit[:, 0]
    assert unit[-1] == np.median(unit[:-1])
    values = panel.values.copy()
    values[:, 0] += 1.0
    full = panel.with_values(values)
    assert lavar(base="auto", **settings).fit(full, until=until)._parts().positive.all()


# ------------------------------------------------------------------ spreads
@pytest.mark.parametrize("head", ["nb", "zinb", "hurdle"])
def test_a_head_that_stays_as_it_begins_has_the_spread_of_the_newest_errors(head: str) -> None:
    """Counts grow wilder towards the end of the history; intervals cover what comes then."""
    rng, rows = np.random.default_rng(8), 420
    theta = np.where(np.arange(rows) < 240, 200.0, 1.5)[:, None]
    y = rng.poisson(8.0 * rng.gamma(theta, 1 / theta, size=(rows, 10))).astype(float)
    ds = pd.date_range("2022-01-03", periods=rows)
    frame = pd.concat([pd.DataFrame({"unique_id": f"s{i}", "ds": ds, "y": y[:, i]}) for i in range(10)])
    panel = Panel.from_frame(frame, freq="D")
    model = lavar(heads=(head,) * 3, epochs=0, head_epochs=0, effects=False, calendar=None)
    found = model.fit(panel, until=ds[399]).predict(panel, [ds[399], ds[406]], quantiles=(0.1, 0.9))
    truth = found.truth()
    inside = ((truth >= found.quantile(0.1)) & (truth <= found.quantile(0.9))).mean()
    assert 0.76 < inside < 0.9
