"""Functions of known-future columns: equal in numpy and torch, saved, and worth something where the effect bends."""

import numpy as np
import pytest

import foretide as ft
from foretide.models.known_basis import HARMONICS, KnownBasis, trailing_means, trailing_spans


def columns(n: int = 300) -> np.ndarray:
    """A number, a flag, sine and cosine of a day."""
    rng = np.random.default_rng(3)
    turn = 2 * np.pi * np.arange(n) / 24
    return np.column_stack([rng.normal(size=n), rng.integers(0, 2, n), np.sin(turn), np.cos(turn)])


def test_by_hand() -> None:
    known = columns()
    basis = KnownBasis.fit(known, 2, (2, 3))
    assert basis is not None
    got = basis.expand(known, np.concatenate)
    x, flag = known[:, 0], known[:, 1]
    hinges = [np.maximum(x - knot, 0) for knot in np.quantile(x, (0.1, 0.3, 0.5, 0.7, 0.9))]
    turn = 2 * np.pi * np.arange(len(x)) / 24
    expected = [*hinges]
    for k in range(1, HARMONICS + 1):
        for wave in (np.sin(k * turn), np.cos(k * turn)):
            expected += [column * wave for column in (*hinges, x, flag)]
    np.testing.assert_allclose(got, np.column_stack(expected), atol=1e-12)
    assert got.shape[1] == basis.width


def test_the_same_in_torch_and_after_saving() -> None:
    torch = pytest.importorskip("torch")
    known = columns()
    basis = KnownBasis.fit(known, 2, (2, 3))
    assert basis is not None
    again = KnownBasis.from_dict(basis.to_dict())
    got = again.expand(torch.as_tensor(known), torch.cat).numpy()
    np.testing.assert_allclose(got, basis.expand(known, np.concatenate), atol=1e-12)


def test_flags_alone_are_read_back() -> None:
    known = columns()[:, 1:]
    basis = KnownBasis.fit(known, 1, (1, 2))
    assert basis is not None
    assert basis.knots.size == 0
    again = KnownBasis.from_dict(basis.to_dict())
    np.testing.assert_array_equal(again.expand(known, np.concatenate), basis.expand(known, np.concatenate))


def test_too_many_columns_make_no_basis() -> None:
    rng = np.random.default_rng(0)
    assert KnownBasis.fit(rng.normal(size=(50, 40)), 40) is None
    assert KnownBasis.fit(np.ones((50, 3)), 3) is None
    thirty = KnownBasis.fit(np.column_stack([rng.integers(0, 2, (50, 30)), columns(50)]), 31, (32, 33))
    assert thirty is not None
    assert thirty.width == 5  # the number's hinges alone


def test_trailing_means() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(40, 2))
    got = trailing_means(values, 7)
    for t in range(40):
        np.testing.assert_allclose(got[t], values[max(0, t - 6) : t + 1].mean(axis=0), atol=1e-12)
    values[30] = np.nan
    assert np.isnan(trailing_means(values, 7)[30]).all()
    assert np.isfinite(trailing_means(values, 7)[31:]).all()
    assert trailing_spans((7, 365), 1000) == (2, 7, 21)
    assert trailing_spans((24,), 100) == ()


def bent(seed: int = 0, n: int = 24 * 60) -> ft.Panel:
    """Hourly values that rise with temperature above 20 degrees and below 10, by day only, and with nothing between."""
    import pandas as pd

    rng = np.random.default_rng(seed)
    temperature = 15 + 8 * np.sin(2 * np.pi * np.arange(n) / 24) + np.cumsum(rng.normal(0, 0.5, n)) % 12
    hour = np.arange(n) % 24
    demand = (np.maximum(temperature - 20, 0) * 3 + np.maximum(10 - temperature, 0) * 2) * (hour > 7)
    y = 100 + demand + rng.normal(0, 0.5, n)
    y[-24:] = np.nan
    frame = pd.DataFrame(
        {"unique_id": "a", "ds": pd.date_range("2024-01-01", periods=n, freq="h"), "y": y, "temperature": temperature}
    )  # fmt: skip
    return ft.Panel.from_frame(frame, target="y", future=["temperature"])


def test_a_start_takes_it_where_the_effect_bends(tmp_path) -> None:
    pytest.importorskip("torch")
    panel = bent()
    model = ft.Attention(h=24, input_size=48, hidden=8, heads=2, epochs=2, steps_per_epoch=5).fit(panel)
    plain = [t["val_mse"] for t in model.start_report() if "basis" not in t]
    assert model.start_report()[0]["val_mse"] < 0.5 * min(plain)
    assert model.memory == 48 + 23  # three days are too much of this training part
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(ft.load(tmp_path / "model").predict(panel).mean, model.predict(panel).mean)


def test_computed_once_or_window_by_window() -> None:
    pytest.importorskip("torch")
    panel = bent()
    model = ft.LSTM(h=24, input_size=48, hidden=4, epochs=0).fit(panel)
    last = int(panel.observed[0]) - 1
    many = model.predict(panel, cutoffs=panel.grid.output_times(np.arange(last - 60, last + 1)), levels=())
    one = model.predict(panel, levels=())
    np.testing.assert_allclose(many.mean[-1], one.mean[0], rtol=1e-5)
