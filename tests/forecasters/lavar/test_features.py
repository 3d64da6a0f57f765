"""What the heads see, computed once, against the plain computation window by window: same loss, same gradients."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from foretide.data.counts import BUCKETS
from foretide.data.panel import Panel
from foretide.data.synthetic.supplies import supplies
from foretide.data.windows import Windows, slide
from foretide.forecasters.base import held_back
from foretide.forecasters.lavar.features import Look, answers, head_data
from foretide.forecasters.lavar.lavar import LAVAR
from foretide.forecasters.lavar.parts import Parts
from foretide.heads.base import SeriesInfo
from foretide.seeding import torch_generator

H, P, D = 4, 3, 6
QUICK: dict[str, Any] = {"order": P, "latent": 2, "encoder": (6,), "decoder": (6,), "epochs": 2, "head_epochs": 2}


@cache
def panel(missing: bool = False) -> Panel:
    made = supplies(T=150, n_targets=D, n_covariates=5, seed=4, n_sites=2).panel
    if not missing:
        return made
    values = made.values.copy()
    holes = np.random.default_rng(0).random((len(values), D + 5)) < 0.15
    values[:, : D + 5][holes] = np.nan
    return made.with_values(values)


@cache
def parts(head: str, missing: bool = False) -> Parts:
    """A fitted model whose heads were shaken, so that every weight matters."""
    found = LAVAR(H, heads=(head,) * 3, calendar=None, dense=0.0, ultra=0.0, **QUICK).fit(panel(missing))._parts()
    noise = torch_generator(5)
    with torch.no_grad():
        for parameter in found.bank.heads.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=noise)
    return found


def some_windows(given: Panel) -> Windows:
    every = slide(given, input_size=P + 1, h=H)
    return every[np.arange(0, len(every), 9)]


def cached(made: Parts, given: Panel, windows: Windows) -> Any:
    look = Look.at(given, windows, H, made.state, made.preparation, own_history=False)
    base = look.base(made.base, made.effects)
    return head_data(look, base, windows.entity, made.unit, made.positive, look.truth())


def multiplier(made: Parts, z: np.ndarray[Any, Any], entity: int) -> np.ndarray[Any, Any]:
    if made.effects is None:
        return np.ones(D)
    return np.asarray(np.exp(np.clip(made.effects.weights[entity] @ z, -1.5, 1.5)))


def plain_loss(made: Parts, given: Panel, windows: Windows) -> Tensor:
    """One window after the other: encode its rows, roll out step by step, look up what is known, ask the head."""
    state, head = made.state, made.bank.heads["dense"]
    scaled = torch.from_numpy(made.preparation.values(given)[:, D:])
    a, c = (t.detach() for t in state.model.dynamics.coefficients())
    total, count = torch.zeros(()), 0
    with torch.no_grad():
        rows = [state.model.encode(row[None])[0] for row in scaled]
    location, scale = torch.from_numpy(state.location), torch.from_numpy(state.scale)
    z = torch.stack([(row.double() - location) / scale for row in rows]).numpy()
    row0 = [0, int(given.length[0])]
    past = np.stack([multiplier(made, z[r], int(r >= row0[1])) for r in range(len(z))])
    for w in range(len(windows)):
        entity, cutoff = int(windows.entity[w]), int(windows.cutoff[w])
        here = row0[entity] + cutoff
        known = [rows[here - k] for k in range(P - 1, -1, -1)]
        for _ in range(H):
            known.append(c + sum(a[k] @ known[-1 - k] for k in range(P)))
        ahead = torch.stack([(s.double() - location) / scale for s in known[P:]])
        later = np.stack([multiplier(made, s, entity) for s in ahead.numpy()])[None]
        base = made.base.at(given, windows[[w]], H, past, later)[0]
        own = given.rows(entity)[cutoff + 1 : cutoff + 1 + H]
        holiday = (own[:, -1:] - made.preparation.known_location) / made.preparation.known_scale
        features = torch.cat([ahead, torch.from_numpy(holiday)], dim=1).float()[None]
        unit = made.unit[entity]
        start = torch.from_numpy(base / unit).float()[None]
        # What never sold is corrected in units, the rest by a share of the base.
        rows_of = given.rows(entity)[: int(held_back(given, H)[entity]), :D]
        sold = torch.from_numpy((np.nan_to_num(rows_of) > 0).any(axis=0))
        step = torch.where(sold, start.clamp(min=0.0), 1.0)
        series = SeriesInfo(torch.tensor([entity]), torch.from_numpy(unit).float()[None])
        loss = head(features, start, step, series).loss(
            torch.from_numpy(np.nan_to_num(own[:, :D]) / unit).float()[None]
        )
        seen = torch.from_numpy(~np.isnan(own[:, :D]))
        total = total + loss[0][seen].sum()
        count += int(seen.sum())
    return total / count


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("head", ["delta", "nb", "zinb"])
def test_loss_and_gradients_equal_the_plain_computation(head: str, missing: bool) -> None:
    made, given = parts(head, missing), panel(missing)
    windows = some_windows(given)
    parameters = dict(made.bank.heads.named_parameters())
    once = made.bank.loss("dense", cached(made, given, windows), slice(None))
    plain = plain_loss(made, given, windows)
    assert float(once.detach()) == pytest.approx(float(plain.detach()), rel=1e-5)
    first = torch.autograd.grad(once, list(parameters.values()))
    second = torch.autograd.grad(plain, list(parameters.values()))
    assert any(float(g.abs().max()) > 1e-3 for g in second)
    for name, a, b in zip(parameters, first, second, strict=True):
        assert float((a - b).norm()) <= 1e-5 * max(float(b.norm()), 1e-3), name


def test_windows_share_nothing_but_rows() -> None:
    """What is computed for many windows at once is what each alone gets."""
    made, given = parts("nb"), panel()
    windows = some_windows(given)
    together = cached(made, given, windows)
    for w in (0, 7, len(windows) - 1):
        alone = cached(made, given, windows[[w]])
        for name in ("features", "base", "scale", "y"):
            torch.testing.assert_close(getattr(alone, name)[0], getattr(together, name)[w], rtol=1e-5, atol=1e-6)


def test_units_and_corrections() -> None:
    made, given = parts("delta", missing=True), panel(missing=True)
    windows = some_windows(given)
    look = Look.at(given, windows, H, made.state, made.preparation, own_history=False)
    base = np.random.default_rng(0).normal(size=(len(windows), H, D))
    unit = np.arange(1.0, 1.0 + 2 * D).reshape(2, D)
    positive = np.array([[True, False] * (D // 2), [False, True] * (D // 2)])
    data = head_data(look, base, windows.entity, unit, positive, look.truth())
    w, step = 11, 2
    own = unit[windows.entity[w]]
    row = int(windows.rows(given)[w]) + 1 + step
    np.testing.assert_allclose(data.base[w, step], base[w, step] / own, rtol=1e-6)
    expected = np.where(positive[windows.entity[w]], np.maximum(base[w, step] / own, 0), 1.0)
    np.testing.assert_allclose(data.scale[w, step], expected, rtol=1e-6)
    np.testing.assert_allclose(data.y[w, step], np.nan_to_num(given.values[row, :D]) / own, rtol=1e-6)
    assert data.observed is not None
    np.testing.assert_array_equal(data.observed[w, step], ~np.isnan(given.values[row, :D]))
    assert head_data(look, base, windows.entity, unit, positive, None).observed is None


def test_recent_values_may_join() -> None:
    made, given = parts("delta"), panel()
    windows = some_windows(given)
    without, having = (
        Look.at(given, windows, H, made.state, made.preparation, own_history=own).features for own in (False, True)
    )
    np.testing.assert_array_equal(having[..., : without.shape[2]], without)
    extra = having[..., without.shape[2] :]
    assert extra.shape[2] == 2 * D
    scaled = made.preparation.values(given)[:, :D]
    for w in (0, 5, len(windows) - 1):
        row = int(given.length[0]) * int(windows.entity[w]) + int(windows.cutoff[w])
        expected = np.concatenate([scaled[row], scaled[row - P + 1 : row + 1].mean(axis=0)])
        for step in range(H):
            np.testing.assert_allclose(extra[w, step], expected, rtol=1e-5, atol=1e-6)


def test_answers_are_the_heads_laws_in_original_units() -> None:
    made, given = parts("zinb"), panel()
    windows = some_windows(given)
    look = Look.at(given, windows, H, made.state, made.preparation, own_history=False)
    base = look.base(made.base, made.effects)
    mean, quantiles = answers(made, look, base, (0.1, 0.9))
    data = cached(made, given, windows)
    distribution = made.bank.distribution("dense", data, slice(None))
    unit = made.unit[windows.entity][:, None]
    expected = np.where(base == 0, 0.0, distribution.mean().detach().numpy() * unit)
    np.testing.assert_allclose(mean, expected, rtol=1e-5)
    # The last target never sold in the training part: its head knows no distribution.
    known = made.rates[windows.entity] > 0
    assert not known[:, -1].any()
    np.testing.assert_array_equal(np.isnan(quantiles), ~np.broadcast_to(known[:, None, :, None], quantiles.shape))
    found = distribution.quantiles((0.1, 0.9))
    assert found is not None
    own = ~np.isnan(quantiles)
    np.testing.assert_allclose(quantiles[own], (found.detach().numpy() * unit[..., None])[own], atol=1e-2)
    np.testing.assert_array_equal(quantiles[own], np.round(quantiles[own]))
    assert answers(made, look, base)[1].shape == (*mean.shape, 0)


def test_each_series_is_answered_by_the_head_of_its_own_bucket() -> None:
    """Sites that sell the same thing at different rates; no head sees a window of another bucket's series."""
    values = panel().values.copy()
    values[150:, 0] = 0.0  # the first target is dead at the second site only
    given = panel().with_values(values)
    made = LAVAR(H, heads=("delta", "nb", "zinb"), calendar=None, dense=0.3, **QUICK).fit(given)._parts()
    noise = torch_generator(5)
    with torch.no_grad():
        for parameter in made.bank.heads.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=noise)
    names = np.array(BUCKETS)[made.buckets]
    assert names[0, 0] == "dense"
    assert names[1, 0] == "ultra"
    windows = some_windows(given)
    look = Look.at(given, windows, H, made.state, made.preparation, own_history=False)
    base = look.base(made.base, made.effects)
    mean, quantiles = answers(made, look, base, (0.5,))
    data = cached(made, given, windows)
    for w in (0, len(windows) - 1):
        entity = int(windows.entity[w])
        for j in range(D):
            bucket = names[entity, j]
            columns = made.bank.columns[bucket]
            of_bucket = made.bank.distribution(bucket, data.columns(columns), slice(None))
            own = of_bucket.mean()[w, :, columns.index(j)].detach().numpy() * made.unit[entity, j]
            np.testing.assert_allclose(mean[w, :, j], np.where(base[w, :, j] == 0, 0.0, own), rtol=1e-5, atol=1e-7)
            distributed = bucket != "dense" and made.rates[entity, j] > 0
            assert np.isfinite(quantiles[w, :, j]).all() == distributed
    for bucket, columns in made.bank.columns.items():
        part = made.bank.part(bucket, data)
        member = names[windows.entity][:, columns] == bucket
        assert len(part) == member.any(axis=1).sum()
        seen = member[member.any(axis=1)][:, None].repeat(H, axis=1)
        np.testing.assert_array_equal(np.ones_like(seen) if part.observed is None else part.observed.numpy(), seen)
