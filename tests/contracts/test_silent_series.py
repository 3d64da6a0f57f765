"""A series that was silent while a model learned, and sells now, is forecast by what it sells now."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import foretide as ft
import foretide.forecasters.artifact as artifact
from foretide.data.panel import Panel
from foretide.forecasters.table import forecaster_class

DAYS, AWAKE, H = 300, 40, 7


def shops(others: int, *, each_day: float = 10.0) -> tuple[Panel, Any]:
    """Poisson counts of some shops and of one that sold nothing before its last 40 days, and the end of the silence."""
    rng, ds = np.random.default_rng(0), pd.date_range("2023-01-02", periods=DAYS)
    rows = [("silent", np.concatenate([np.zeros(DAYS - AWAKE), rng.poisson(each_day, AWAKE)]))]
    rows += [(f"shop{k}", rng.poisson(5 + 5 * k, DAYS)) for k in range(others)]
    frame = pd.concat([pd.DataFrame({"unique_id": name, "ds": ds, "y": y}) for name, y in rows])
    return Panel.from_frame(frame, freq="D"), ds[-AWAKE - 1]


HEADS = ["nb", "zinb", "hurdle", "poisson", "gaussian", "student_t", "quantile"]


@pytest.mark.parametrize("others", [0, 3])
@pytest.mark.parametrize(("kind", "head"), [*(("LSTM", head) for head in HEADS), ("Attention", "nb")])
def test_networks_wake_up(kind: str, head: str, others: int, tmp_path: Any) -> None:
    panel, until = shops(others)
    model = forecaster_class(kind)(h=H, input_size=28, hidden=8, epochs=1, device="cpu", head=head)
    found = model.fit(panel, until=until).predict(panel, levels=(80,))
    assert abs(found.mean[0].mean() - 10) < (2 if others else 6)  # the last value, where all there was is silence
    low, high = found.quantile(0.1)[0], found.quantile(0.9)[0]
    assert (low <= found.mean[0] + 1e-4).all()
    assert (found.mean[0] <= high + 1e-4).all()
    if others or head in ("nb", "zinb", "hurdle", "poisson"):  # of nothing but silence a spread cannot be learned
        assert 2 < float((high - low).mean()) < 20
    model.save(tmp_path / "model")
    again = artifact.load(tmp_path / "model").predict(panel, levels=(80,))
    np.testing.assert_array_equal(again.mean, found.mean)


@pytest.mark.parametrize("name", ["Ridge", "LAVAR"])
def test_the_others_wake_up(name: str) -> None:
    settings: dict[str, Any] = {"Ridge": {"input_size": 28}}.get(name, {})
    panel, until = shops(3)
    found = forecaster_class(name)(h=H, **settings).fit(panel, until=until).predict(panel)
    assert abs(found.mean[0].mean() - 10) < 3


def test_silence_itself_is_forecast_as_silence() -> None:
    panel, until = shops(3)
    model = ft.LSTM(h=H, input_size=28, hidden=8, epochs=1, device="cpu", head="nb").fit(panel, until=until)
    found = model.predict(panel, cutoffs=[until], levels=(80,))
    np.testing.assert_allclose(found.mean[0], 0, atol=1e-6)
    np.testing.assert_allclose(found.quantile(0.9)[0], 0)


@pytest.mark.parametrize("head", ["zinb", "poisson"])
def test_of_silent_series_some_wake(head: str) -> None:
    """Where a fifth of the silent series woke on the held-back part, none is forecast as silent for ever."""
    rng, ds = np.random.default_rng(3), pd.date_range("2023-01-02", periods=DAYS)
    wake = rng.poisson(2.0, DAYS) * (np.arange(DAYS) >= DAYS - AWAKE)
    rows = {**{f"silent{k}": wake if k < 2 else np.zeros(DAYS) for k in range(10)}}
    rows |= {f"shop{k}": rng.poisson(5, DAYS) for k in range(3)}
    frame = pd.concat([pd.DataFrame({"unique_id": name, "ds": ds, "y": y}) for name, y in rows.items()])
    panel = Panel.from_frame(frame, freq="D")
    model = ft.Attention(h=H, input_size=28, hidden=8, epochs=1, device="cpu", head=head).fit(panel)
    found = model.predict(panel, quantiles=(0.5, 0.995))
    asleep = [i for i, name in enumerate(panel.ids) if name.startswith("silent") and int(name[6:]) >= 2]
    expected = np.mean([rows[f"silent{k}"][-AWAKE:].mean() for k in range(10)])
    np.testing.assert_allclose(found.mean[asleep], expected, rtol=0.2)
    assert (found.quantile(0.5)[asleep] == 0).all()
    assert (found.quantile(0.995)[asleep] > 0).all()
