"""The steps of a fit: what each stage leaves alone, what validation decides, and what a new entity begins with."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from cases import make_panel

from foretide.data.panel import Panel
from foretide.data.synthetic.supplies import supplies
from foretide.data.windows import slide
from foretide.forecasters.base import held_back
from foretide.forecasters.lavar import fit as lavar_fit
from foretide.forecasters.lavar import stage_two
from foretide.forecasters.lavar.heads import EFFECTIVE_ROWS, inherit, like_teacher
from foretide.forecasters.lavar.latent_state import LatentState
from foretide.forecasters.lavar.lavar import LAVAR
from foretide.heads.base import HeadShape
from foretide.training.head_bank import HeadBank
from foretide.training.prepare import Preparation

H = 5
QUICK: dict[str, Any] = {"order": 3, "latent": 2, "encoder": (6,), "decoder": (6,), "epochs": 2, "head_epochs": 3}


@cache
def panel(n_sites: int = 1) -> Panel:
    return supplies(T=220, n_targets=6, n_covariates=6, seed=3, n_sites=n_sites).panel


def lavar(**changes: Any) -> LAVAR:
    return LAVAR(H, **{**QUICK, **changes})


def weights(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


# ------------------------------------------------------------------ the stages
def test_stage_two_leaves_stage_one_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights right after stage 1 are those of the finished model, to the bit."""
    after: list[dict[str, torch.Tensor]] = []
    fit = LatentState.fit

    def watched(*arguments: Any, **options: Any) -> Any:
        state, history = fit(*arguments, **options)
        after.append(weights(state.model))
        return state, history

    monkeypatch.setattr(LatentState, "fit", watched)
    made = lavar(heads=("nb", "delta", "zinb"), head_lr=0.1).fit(panel())._parts()
    (expected,) = after
    found = weights(made.state.model)
    assert found.keys() == expected.keys()
    for name, value in found.items():
        assert torch.equal(value, expected[name]), name
    assert all(p.grad is None or not p.grad.any() for p in made.state.model.parameters())
    shaken = lavar(heads=("nb", "delta", "zinb"), head_lr=0.1, head_epochs=0).fit(panel())._parts()
    for name, value in weights(shaken.state.model).items():
        assert torch.equal(value, expected[name]), name


def test_heads_stay_only_where_they_gain() -> None:
    """With a margin that nothing can reach, forecasts are the base."""
    model = lavar(heads=("delta",) * 3, head_lr=0.05, head_margin=0.999).fit(panel())
    cutoff = [panel().grid.output_times([200])[0]]
    found = model.predict(panel(), cutoff, base=True)
    np.testing.assert_allclose(found.mean, found.extras["base"], rtol=1e-5, atol=1e-6)
    moved = lavar(heads=("delta",) * 3, head_lr=0.05, head_margin=0.0).fit(panel()).predict(panel(), cutoff, base=True)
    assert not np.allclose(moved.mean, moved.extras["base"], rtol=1e-3)


def test_effects_may_be_off() -> None:
    made = lavar(effects=False).fit(panel())._parts()
    assert made.effects is None
    assert not any(name.startswith("effects") for name in made.arrays())


@pytest.mark.parametrize("turns", [False, True])
def test_effects_go_where_validation_speaks_against_them(turns: bool) -> None:
    """Three series follow a slow column; where it turns, against it in the validation part."""
    rng = np.random.default_rng(0)
    slow = np.zeros(500)
    for t in range(1, 500):
        slow[t] = 0.97 * slow[t - 1] + 0.25 * rng.normal()
    sign = np.where(np.arange(500) < 425, 1.0, -1.0 if turns else 1.0)
    sales = rng.poisson(30 * np.exp(0.4 * sign * slow)[:, None] * np.ones(3))
    table = pd.DataFrame(sales.astype(float), columns=["a", "b", "c"]).assign(slow=slow)
    table["ds"] = pd.date_range("2022-01-01", periods=500, freq="D")
    given = Panel.from_wide(table, time="ds", target=["a", "b", "c"], past=["slow"])
    model = lavar(latent=1, seasons=()).fit(given)
    row = model.gates().iloc[0]
    assert row["part"] == "effects"
    assert row["kept"] == (model._parts().effects is not None) == (not turns)
    if turns:
        assert row["gain"] < -row["noise"] < 0
        assert "a loss beyond chance" in row["why"]
    else:
        assert row["gain"] > 0


def test_base_and_effects_learn_from_the_validation_part_at_last() -> None:
    end = panel().grid.output_times([150])[0]
    late = panel().values.copy()
    late[160:, :6] = np.round(3 * late[160:, :6])
    other = panel().with_values(late)
    frozen = [lavar(refit=False, head_epochs=0).fit(p, train_until=end)._parts().base for p in (panel(), other)]
    np.testing.assert_array_equal(frozen[0].factors, frozen[1].factors)
    np.testing.assert_array_equal(frozen[0].noise, frozen[1].noise)
    learned = [lavar(head_epochs=0).fit(p, train_until=end)._parts().base for p in (panel(), other)]
    assert not np.array_equal(learned[0].noise, learned[1].noise)


def test_units_are_errors_of_the_base() -> None:
    """Root mean squared error over training windows, and one largest value in the training part on top."""
    given = panel(2)
    made = lavar(head_epochs=0, refit=False, effects=False).fit(given)
    rows_of = held_back(given, made.h)
    base = made._parts().base
    windows = slide(given, input_size=4, h=H, last_target=given.first + rows_of - 1)
    forecast = base.at(given, windows, H)
    for entity in (0, 1):
        mine = windows.entity == entity
        rows = given.rows(entity)
        for d in range(6):
            errors = [
                forecast[w, k, d] - rows[windows.cutoff[w] + 1 + k, d] for w in np.flatnonzero(mine) for k in range(H)
            ]
            largest = rows[: rows_of[entity], d].max() or 1.0
            expected = np.sqrt(np.mean(np.square(errors)) + largest**2 / rows_of[entity])
            assert made._parts().unit[entity, d] == pytest.approx(expected, rel=1e-9)


def test_too_many_windows_are_thinned_out_through_all_weekdays(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    original = stage_two.train_heads

    def watched(bank: Any, train: Any, *rest: Any) -> Any:
        seen.append(len(train))
        return original(bank, train, *rest)

    monkeypatch.setattr(stage_two, "train_heads", watched)
    lavar(refit=False).fit(panel())
    monkeypatch.setattr(lavar_fit, "MAX_ELEMENTS", 7_000)
    found = lavar(refit=False).fit(panel()).predict(panel(), [panel().grid.output_times([200])[0]])
    assert np.isfinite(found.mean).all()
    assert seen[-1] <= 7_000 / (H * 6)
    stride = round(seen[0] / seen[-1])
    assert stride > 1
    assert np.gcd(stride, 7) == 1


# ------------------------------------------------------------------ a new entity
def test_scales_of_a_new_entity_lean_on_the_teachers() -> None:
    many = make_panel((200, 200, 200), targets=1, past=1)
    values = many.values + np.repeat([0.0, 50.0, -20.0], 200)[:, None]
    many = many.with_values(values)
    teacher = Preparation.fit(many, None)
    new = make_panel((40,), targets=1, past=1, seed=9)
    own = Preparation.fit(new, None)
    found = like_teacher(own, teacher, new)
    between, noise = teacher.location.var(axis=0), own.scale**2 / (40 / EFFECTIVE_ROWS)
    share = between / (between + noise)
    np.testing.assert_allclose(found.location, share * own.location + (1 - share) * teacher.location.mean(axis=0))
    np.testing.assert_allclose(found.scale[0], np.median(teacher.scale, axis=0))
    assert found.ids == own.ids
    alone = like_teacher(own, Preparation.fit(many.take([1]), None), new)
    np.testing.assert_allclose(alone.location[0], teacher.location[1])
    flat = replace(teacher, location=np.zeros_like(teacher.location))
    np.testing.assert_allclose(like_teacher(own, flat, new).location, 0.0)


def shaken(n: int, private: bool, seed: int = 0) -> HeadBank:
    made = HeadBank({"dense": "nb"}, {"dense": [0, 1]}, HeadShape(3, 2, H, n, private), torch.ones(n, 2))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return made


@pytest.mark.parametrize(("theirs", "mine"), [(3, 1), (1, 3), (3, 2), (1, 1)])
def test_heads_of_a_new_entity_begin_at_the_teachers(theirs: int, mine: int) -> None:
    teacher, own = shaken(theirs, theirs > 1), shaken(mine, mine > 1, seed=1)
    unit = own.unit.clone()
    inherit(own, teacher)
    old, new = dict(teacher.named_parameters()), dict(own.named_parameters())
    shared = [name for name in new if name.endswith(("linear.weight", "linear.bias"))]
    assert len(shared) == 2
    for name in shared:
        own_part = old.get(name.replace("linear.", "linear.private_"))
        expected = old[name] if own_part is None else old[name] + own_part.mean(dim=0)
        torch.testing.assert_close(new[name], expected, msg=name)
    for name, value in new.items():
        if "private" in name:
            assert not value.any()
        elif name not in shared and value.shape != old[name].shape:
            expected = old[name].mean(dim=0, keepdim=True).expand_as(value)
            torch.testing.assert_close(value, expected)
    assert torch.equal(own.unit, unit)


def test_without_training_a_new_entity_has_the_teachers_heads() -> None:
    teacher = lavar(head_lr=0.05, head_epochs=6, heads=("delta",) * 3, head_margin=0.0).fit(panel(3).take([0, 1]))
    with_none = LAVAR(**{**teacher.settings(), "head_epochs": 0})
    with_none._fitted, with_none.parts_ = teacher._fitted, teacher.parts_
    new = with_none.fit_heads(panel(3).take([2]), until="2019-04-30")
    old = dict(teacher._parts().bank.named_parameters())
    found = dict(new._parts().bank.named_parameters())
    assert found.keys() < old.keys()
    assert any(value.any() for value in found.values())
    for name, value in found.items():
        torch.testing.assert_close(value, old[name] + old[name.replace("linear.", "linear.private_")].mean(dim=0))
    np.testing.assert_array_equal(new._parts().base.pooled[7], teacher._parts().base.pooled[7])
    assert new._parts().base.events == teacher._parts().base.events


def test_a_short_history_has_no_latent_effects_of_its_own_but_takes_those_of_a_teacher() -> None:
    short = panel(3).take([2])
    alone = lavar(latent=3).fit(short, until="2019-02-20")
    assert alone._parts().effects is None
    teacher = lavar(latent=3).fit(panel(3).take([0, 1]))
    assert teacher._parts().effects is not None
    assert teacher.fit_heads(short, until="2019-02-20")._parts().effects is not None
