"""The summary of a fitted model: streamed sums, tables, words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from attention_weights import sums_of

import foretide as ft
from foretide.errors import ConfigError, DataError, NotFittedError
from foretide.explain.weights import stream as attention_stream
from foretide.forecasters.networks.neural import in_batches

H, L, M = 4, 16, 2


def panel_of(n: int = 2, T: int = 300) -> ft.Panel:
    made = [ft.synthetic.planted_lags(T=T, lags=(6, 12), weights=(0.6, 0.3), seed=s, n_noise=1) for s in range(n)]
    frames = [m.to_frame().assign(unique_id=f"s{s}") for s, m in enumerate(made)]
    return ft.Panel.from_frame(pd.concat(frames), target="y", past=["noise1"])


@pytest.fixture(scope="module")
def panel() -> ft.Panel:
    return panel_of()


@pytest.fixture(scope="module")
def model(panel: ft.Panel) -> ft.Attention:
    """A model whose weights depend on the window: one epoch leaves the queries near zero, so they are drawn here."""
    made = ft.Attention(H, input_size=L, hidden=8, heads=M, epochs=1, seed=0)
    made.fit(panel, until=panel.grid.output_times([229])[0])
    assert made.network is not None
    with torch.no_grad():
        draw = torch.Generator().manual_seed(0)
        query = made.network.backbone.query.weight  # type: ignore[union-attr]
        query.copy_(torch.randn(query.shape, generator=draw) * 0.3)  # type: ignore[operator, arg-type]
    return made


@pytest.fixture(scope="module")
def cutoffs(panel: ft.Panel) -> pd.Index:
    return panel.grid.output_times(np.arange(100, 290, 3))


def test_streamed_sums_are_those_of_the_whole_array(
    model: ft.Attention, panel: ft.Panel, cutoffs: pd.Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = model.predict(panel, cutoffs=cutoffs, attention=True).extras["attention"]
    expected = sums_of(whole)
    assert whole.std(axis=0).max() > 0.01  # the windows differ
    for size in (7, 128):
        monkeypatch.setattr(attention_stream, "in_batches", lambda batches, size=size: in_batches(batches, size))
        found = ft.explain.attention(model, panel, cutoffs, keep_weights=True)
        assert found.weights == pytest.approx(whole, abs=1e-6)
        assert found.mean_weights == pytest.approx(expected.mean, abs=1e-6)
        assert found.sums.entropy == pytest.approx(expected.entropy, abs=1e-5)
        assert found.sums.top1.tolist() == expected.top1.tolist()
        assert found.weights_of([3, 1]) == pytest.approx(whole[[3, 1]], abs=1e-6)
    assert found.shape == whole.shape


def test_order_of_cutoffs_and_of_entities_changes_nothing(
    model: ft.Attention, panel: ft.Panel, cutoffs: pd.Index
) -> None:
    a = ft.explain.attention(model, panel, cutoffs)
    for b in (
        ft.explain.attention(model, panel, cutoffs[np.random.default_rng(0).permutation(len(cutoffs))]),
        ft.explain.attention(model, panel.take([1, 0]), cutoffs),
    ):
        assert b.mean_weights == pytest.approx(a.mean_weights, abs=1e-7)
        assert b.sums.top1.tolist() == a.sums.top1.tolist()
        assert b.faithfulness(draws=19).attended == pytest.approx(a.faithfulness(draws=19).attended, rel=1e-5)


def test_one_entity_is_its_own_part_of_many(model: ft.Attention, panel: ft.Panel, cutoffs: pd.Index) -> None:
    both = ft.explain.attention(model, panel, cutoffs, keep_weights=True)
    alone = ft.explain.attention(model, panel.take([1]), cutoffs)
    own = both.weights[both.windows.entity == 1]
    assert alone.mean_weights == pytest.approx(own.mean(axis=0, dtype=np.float64), abs=1e-6)


def test_values_after_the_cutoffs_change_nothing(model: ft.Attention, panel: ft.Panel) -> None:
    cutoffs = panel.grid.output_times(np.arange(100, 200))
    values = panel.values.copy()
    for i in range(panel.n_entities):
        values[panel.row0[i] + 200 : panel.row0[i] + panel.length[i]] = 1e6
    a = ft.explain.attention(model, panel, cutoffs)
    b = ft.explain.attention(model, panel.with_values(values), cutoffs)
    assert (a.mean_weights == b.mean_weights).all()
    assert (a.sums.entropy == b.sums.entropy).all()
    assert a.seasons == b.seasons


def test_without_cutoffs_the_windows_after_the_fit_are_taken(model: ft.Attention, panel: ft.Panel) -> None:
    found = ft.explain.attention(model, panel)
    # Horizons from step 230 on: cutoffs 229 .. 295.
    assert found.windows.cutoff.tolist() == list(range(229, 296)) * 2
    assert "after what the model was fitted on" in found.text(test=False)
    short = ft.explain.attention(model, panel.until(panel.grid.output_times([240])[0]))
    assert "of the whole panel, those it learned from among them" in short.text(test=False)
    assert short.windows.cutoff.min() == L - 1
    with pytest.raises(DataError, match="16 rows up to a cutoff and 4 after it are needed"):
        ft.explain.attention(model, panel.until(panel.grid.output_times([15])[0]))


def test_weights_beyond_the_limit_are_refused_with_what_to_type(
    model: ft.Attention, panel: ft.Panel, cutoffs: pd.Index
) -> None:
    with pytest.raises(ConfigError, match=r"take \d+ MiB, more than limit_mib=0.01. Type limit_mib=1 to allow it"):
        ft.explain.attention(model, panel, cutoffs, keep_weights=True, limit_mib=0.01)
    found = ft.explain.attention(model, panel, cutoffs)
    with pytest.raises(ConfigError, match="keep_weights=True"):
        found.weights  # noqa: B018
    with pytest.raises(ConfigError, match="places lie between 0 and"):
        found.weights_of([10_000])
    assert found.weights_of([]).shape == (0, M, H, L)


def test_the_tidy_frame_and_its_parquet_file(
    model: ft.Attention, panel: ft.Panel, cutoffs: pd.Index, tmp_path: Path
) -> None:
    found = ft.explain.attention(model, panel, cutoffs, keep_weights=True)
    frame = found.to_frame()
    assert list(frame.columns) == ["series", "cutoff", "head", "h_step", "lag", "weight"]
    rng, keyed = np.random.default_rng(0), frame.set_index(["series", "cutoff", "head", "h_step", "lag"])["weight"]
    steps = found.windows.steps(panel)
    assert len(keyed) == found.weights.size
    for _ in range(20):
        n, m, s, index = (int(rng.integers(size)) for size in found.shape)
        at = (panel.ids[found.windows.entity[n]], panel.grid.output_times([steps[n]])[0], m + 1, s + 1, L - 1 - index)
        assert keyed[at] == pytest.approx(found.weights[n, m, s, index], abs=1e-6)
    path = tmp_path / "attention.parquet"
    assert found.write_parquet(path) == len(frame)
    back = pd.read_parquet(path)
    assert back["weight"].to_numpy() == pytest.approx(frame["weight"].to_numpy())
    assert back["series"].astype(str).tolist() == frame["series"].tolist()
    assert (back["cutoff"].to_numpy() == frame["cutoff"].to_numpy()).all()
    assert len(found.to_frame(places=[0])) == M * H * L
    with pytest.raises(ConfigError, match=r"more than most_rows=10. Type summary.write_parquet"):
        found.to_frame(most_rows=10)


def test_text_says_windows_start_and_verdict(model: ft.Attention, panel: ft.Panel) -> None:
    found = ft.explain.attention(model, panel)
    words = found.text()
    assert words.startswith(f"Attention, {len(found.windows)} windows")
    assert "It looks at what is left after taking off" in words
    assert found.faithfulness().text() in words
    assert found.faithfulness().text() not in found.text(test=False)
    ends = ft.explain.attention(model, panel, panel.grid.output_times([299]))
    assert "No window has a truth" in ends.text()


def test_representations_are_short_and_escaped(model: ft.Attention, panel: ft.Panel) -> None:
    found = ft.explain.attention(model, panel)
    n = len(found.windows)
    assert repr(found).startswith(f"AttentionSummary(Attention: {n} windows x 2 heads x 4 steps x 16 lags; ")
    model.alias = "<script>"
    try:
        html = ft.explain.attention(model, panel)._repr_html_()
    finally:
        model.alias = None
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "<table" in html


def test_only_attention_has_attention(panel: ft.Panel) -> None:
    with pytest.raises(ConfigError, match=r"got Persistence. Type: ft.Attention\(h=...\).fit\(panel\)"):
        ft.explain.attention(ft.Persistence(h=2).fit(panel), panel)  # type: ignore[arg-type]
    with pytest.raises(NotFittedError, match="is not fitted"):
        ft.explain.attention(ft.Attention(h=2), panel)


@pytest.mark.parametrize("lags", [(6, 12), ()])
@pytest.mark.parametrize("seed", [0, 1])
def test_planted_lags_are_named_and_noise_has_no_pattern(lags: tuple[int, ...], seed: int) -> None:
    data = ft.synthetic.planted_lags(T=900, lags=lags, weights=(0.6, 0.3)[: len(lags)], seed=seed, n_noise=0)
    parts = ft.split(data.panel)
    made = ft.Attention(5, input_size=30, hidden=8, heads=2, epochs=1, seed=seed)
    made.fit(data.panel, until=parts.val_until, train_until=parts.train_until)
    words = ft.explain.attention(made, data.panel).text()
    assert ("Most weight lies 6 and 12 hours before the forecast step" in words) == bool(lags)
    assert ("No clear pattern" in words) == (not lags)
    assert ("The attention is faithful" in words) == bool(lags)


def test_a_polars_panel_gives_a_polars_frame(model: ft.Attention, panel: ft.Panel, cutoffs: pd.Index) -> None:
    pl = pytest.importorskip("polars")
    same = ft.Panel.from_frame(pl.from_pandas(panel.to_frame()), target="y", past=["noise1"])
    frame = ft.explain.attention(model, same, cutoffs).to_frame(places=[1])
    assert isinstance(frame, pl.DataFrame)
    assert frame.columns == ["series", "cutoff", "head", "h_step", "lag", "weight"]
    assert frame["weight"].sum() == pytest.approx(M * H, rel=1e-5)


def test_the_forecaster_shows_its_windows_in_order_and_once(
    model: ft.Attention, panel: ft.Panel, cutoffs: pd.Index
) -> None:
    windows = ft.explain.attention(model, panel, cutoffs).windows
    batches = model.window_batches(panel, windows)
    places = [(at.start, at.stop, chosen.tolist()) for at, chosen in in_batches(batches, 50)]
    assert [n for *_, chosen in places for n in chosen] == list(range(len(windows)))
    assert all(chosen == list(range(start, stop)) for start, stop, chosen in places)
    assert max(len(chosen) for *_, chosen in places) == 50
