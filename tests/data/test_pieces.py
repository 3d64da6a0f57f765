from __future__ import annotations

import numpy as np
import pytest

from foretide.data import scaling, scratch
from foretide.data.panel import Panel
from foretide.data.pieces import pieces, rows_of
from foretide.data.time.grid import Grid


def random_panel(seed: int) -> Panel:
    rng = np.random.default_rng(seed)
    n, c = int(rng.integers(1, 12)), int(rng.integers(1, 5))
    length = rng.integers(1, 60, n)
    values = rng.standard_normal((int(length.sum()), c))
    values[rng.random(values.shape) < rng.choice([0.0, 0.2, 0.9])] = np.nan
    columns = tuple(f"x{k}" for k in range(c))
    d = int(rng.integers(1, c + 1))
    row0 = np.cumsum(length) - length
    first = np.zeros(n, dtype=np.int64)
    panel = Panel(Grid(0, 1), tuple(map(str, range(n))), values, row0, length, first, columns[:d], columns[d:])
    return panel.take(rng.permutation(n)[: int(rng.integers(1, n + 1))])


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("most", [3, 7, None])
def test_pieces_are_all_rows_in_order(seed: int, most: int | None) -> None:
    panel = random_panel(seed)
    whole = np.concatenate([panel.rows(i) for i in range(panel.n_entities)])
    found = list(pieces(panel.length, 8, most))
    np.testing.assert_array_equal(np.concatenate([rows_of(panel, p.start, p.stop) for p in found]), whole)
    every = np.repeat(np.arange(panel.n_entities), panel.length)
    np.testing.assert_array_equal(np.concatenate([p.entity for p in found]), every)
    assert all(p.stop - p.start <= most for p in found if most is not None and p.high == p.low + 1)
    assert [p.begins for p in found] == [p.start == 0 or every[p.start] != every[p.start - 1] for p in found]


@pytest.mark.parametrize("seed", range(10))
def test_observed_rows_are_those_up_to_the_last_target(seed: int) -> None:
    panel = random_panel(seed)
    for i in range(panel.n_entities):
        seen = np.flatnonzero(~np.isnan(panel.rows(i)[:, : panel.n_targets]).all(axis=1))
        assert panel.observed[i] == (seen[-1] + 1 if seen.size else 0)


@pytest.mark.parametrize("kind", ["standard", "minmax"])
def test_scales_of_long_series_are_those_of_short_ones(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(5):
        panel = random_panel(seed)
        expected = scaling.Scaler.fit(panel, kind=kind)
        with monkeypatch.context() as patch:
            patch.setattr(scaling, "PIECE_ROWS", 7)
            patch.setattr(scaling, "PIECE_BYTES", 100)
            found = scaling.Scaler.fit(panel, kind=kind)
        np.testing.assert_allclose(found.location, expected.location, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(found.scale, expected.scale, rtol=1e-12)


def test_large_arrays_lie_in_files(monkeypatch: pytest.MonkeyPatch) -> None:
    like = np.zeros(1)
    assert scratch.mapped_file(scratch.empty((100, 3), np.float32, like)) is None
    monkeypatch.setattr(scratch, "IN_MEMORY", 1_000)
    found = scratch.empty((100, 3), np.float32, like)
    found[:] = 1.0
    assert scratch.mapped_file(found[3:, :2]) is not None
    assert found.sum() == 300
