from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from foretide.errors import ConfigError, TrainingError
from foretide.models.config import LatentConfig
from foretide.models.dynamics import roll_by_steps
from foretide.models.latent import LatentModel
from foretide.seeding import seeded_init, torch_generator
from foretide.training import latent
from foretide.training.config import Stage
from foretide.training.latent import CHUNK, Stretch, batches, evaluate_latent, latent_path, rolled_out, train_latent

C, H, P = 4, 5, 3


def model(seed: int = 0, **changes: Any) -> LatentModel:
    with seeded_init(seed):
        return LatentModel(C, H, LatentConfig(**{"latent": 2, "order": P, "encoder": (6,), "decoder": (6,), **changes}))


def waves(n: int = 200) -> Tensor:
    """Covariates that two slow waves drive."""
    t = torch.arange(n)[:, None]
    clean = torch.sin(2 * torch.pi * t / torch.tensor([[7.0, 30.0, 7.0, 30.0]]) + torch.arange(4))
    return clean + 0.05 * torch.randn(n, C, generator=torch_generator(0))


TRAIN, VALIDATION = [Stretch(P, 120)], [Stretch(130, 60)]


def fit(made: LatentModel, x: Tensor | None = None, seed: int = 0, train: Any = TRAIN, **changes: Any) -> Any:
    stage = Stage("stage 1", **{"epochs": 5, "batch_size": 32, **changes})
    return train_latent(
        made, waves() if x is None else x, train, changes.pop("validation", VALIDATION), stage,
        generator=torch_generator(seed),
    )  # fmt: skip


def state(made: LatentModel) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in made.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("changes", [{}, {"stable": True}, {"dynamics": "gru"}], ids=str)
def test_it_learns(changes: dict[str, Any]) -> None:
    made = model(**changes)
    history = fit(made, epochs=60, lr=1e-2)
    losses = [row["val_loss"] for row in history.epochs]
    assert min(losses) < 0.4 * losses[0]
    assert evaluate_latent(made, waves(), VALIDATION) == pytest.approx(min(losses), rel=1e-6)
    assert history.best_epoch == losses.index(min(losses))
    assert not made.training


def test_equal_to_a_bare_loop() -> None:
    made, twin, x = model(), model(), waves()
    stage = Stage("stage 1", epochs=3, batch_size=32, clip=0.01)
    history = train_latent(made, x, TRAIN, [], stage, generator=torch_generator(4))
    optimizer, generator = torch.optim.Adam(twin.parameters(), lr=1e-3), torch_generator(4)
    for epoch in range(1, 4):
        total = 0.0
        for batch in batches(TRAIN, 32, generator):
            loss = twin.stage1_loss(
                torch.cat([x[s.first - P : s.first + s.count + H] for s in batch.stretches]),
                [s.count for s in batch.stretches],
            )
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(twin.parameters(), 0.01)
            optimizer.step()
            total += loss.item() * batch.count
        assert history.epochs[epoch]["train_loss"] == pytest.approx(total / 120, rel=1e-4)
    for name, value in twin.state_dict().items():
        torch.testing.assert_close(made.state_dict()[name], value, rtol=1e-4, atol=1e-6)
    assert history.best_epoch == 3


def test_the_best_state_comes_back_not_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    made, seen = model(), []
    told = iter([9.0, 3.0, 2.0, 5.0, 6.0, 7.0])

    def judged(judged_model: LatentModel, *_: object) -> float:
        seen.append(state(judged_model))
        return next(told)

    monkeypatch.setattr("foretide.training.latent.evaluate_latent", judged)
    history = fit(made)
    assert history.best_epoch == 2
    assert same(state(made), seen[2])
    assert not same(state(made), seen[5])
    assert len(history.epochs) == 6


@pytest.mark.parametrize(("patience", "epochs"), [(1, 3), (3, 5), (None, 6)])
def test_patience(monkeypatch: pytest.MonkeyPatch, patience: int | None, epochs: int) -> None:
    told = iter([9.0, 3.0, 2.0, 5.0, 6.0, 7.0, 8.0])
    monkeypatch.setattr("foretide.training.latent.evaluate_latent", lambda *_: next(told))
    assert len(fit(model(), epochs=6, patience=patience).epochs) - 1 == epochs


def test_validation_loss_is_the_mean_over_all_cutoffs(monkeypatch: pytest.MonkeyPatch) -> None:
    made, x = model(), waves()
    stretches = [Stretch(P, 7), Stretch(40, 1), Stretch(90, 30)]
    losses = [
        made.stage1_loss(x[t - P : t + H + 1]).item() for s in stretches for t in range(s.first, s.first + s.count)
    ]
    expected = sum(losses) / len(losses)
    assert evaluate_latent(made, x, stretches) == pytest.approx(expected, rel=1e-5)
    monkeypatch.setattr("foretide.training.latent.CHUNK", 8)
    assert evaluate_latent(made, x, stretches) == pytest.approx(expected, rel=1e-5)


def test_every_cutoff_once_an_epoch_between_moving_borders() -> None:
    stretches = [Stretch(3, 100, "a"), Stretch(200, 7, "b"), Stretch(300, 33, "c"), Stretch(400, 1, "d")]
    wanted = sorted(t for s in stretches for t in range(s.first, s.first + s.count))
    generator, seen = torch_generator(0), []
    for _ in range(5):
        made = batches(stretches, 16, generator)
        cutoffs = [t for b in made for s in b.stretches for t in range(s.first, s.first + s.count)]
        assert sorted(cutoffs) == wanted
        assert max(b.count for b in made) <= 16
        assert len(made) <= 13  # 141 / 16 = 9 full ones at best
        for b in made:
            for s in b.stretches:
                home = next(w for w in stretches if w.name == s.name)
                assert home.first <= s.first
                assert s.first + s.count <= home.first + home.count
        seen.append(tuple(tuple((s.first, s.count) for s in b.stretches) for b in made))
    assert len(set(seen)) == 5
    assert len({tuple(sorted(s for b in epoch for s in b)) for epoch in seen}) == 5  # the borders move too


def test_same_seed_same_bits() -> None:
    def trained(seed: int) -> dict[str, Tensor]:
        made = model()
        fit(made, seed=seed)
        return state(made)

    assert same(trained(1), trained(1))
    assert not same(trained(1), trained(2))


def test_only_what_learns_moves() -> None:
    made = model()
    before = state(made)
    fit(made, learns=("dynamics",))
    after = state(made)
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"dynamics"}
    assert all(p.requires_grad and p.grad is None for p in made.parameters())
    with pytest.raises(ConfigError, match=r"begins with one of \['head'\]. Known: autoencoder, dynamics"):
        fit(made, learns=("head",))


def test_no_epochs_keep_the_start_and_nothing_given_is_changed() -> None:
    made, x = model(), waves()
    before, kept = state(made), x.clone()
    history = fit(made, x, epochs=0)
    assert same(before, state(made))
    assert [row["epoch"] for row in history.epochs] == [0]
    fit(made, x, epochs=2)
    assert torch.equal(x, kept)


def test_weights_have_their_own_memory_afterwards() -> None:
    made = model()
    fit(made, epochs=1)
    pointers = [p.untyped_storage().data_ptr() for p in made.parameters()]
    assert len(set(pointers)) == len(pointers)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite(value: float) -> None:
    x = waves()
    x[60, 1] = value
    with pytest.raises(
        TrainingError,
        match=r"The loss of stage 1 became nan in epoch 1, batch \d of \d \(series 'ward', cutoffs at rows \d+ to \d+",
    ) as caught:
        fit(model(), x, train=[Stretch(P, 120, "ward")])
    assert "Lower lr (now 0.001)" in str(caught.value)


def test_stretches_outside_the_data() -> None:
    for stretch, need in ((Stretch(2, 5), "rows -1 to 11"), (Stretch(190, 10), "rows 187 to 204")):
        with pytest.raises(ConfigError, match=f"need {need}; there are rows 0 to 199.*order=3 rows before"):
            fit(model(), train=[stretch])
    fit(model(), train=[Stretch(190, 5)], epochs=1)
    with pytest.raises(ConfigError, match=r"stage 1 has no training windows: each needs order \+ h = 8 rows"):
        fit(model(), train=[])
    with pytest.raises(ConfigError, match=r"Expected covariates \[R, 4\], got \(200, 3\)"):
        fit(model(), waves()[:, :3])


@pytest.mark.parametrize("changes", [{}, {"stable": True}, {"dynamics": "gru"}], ids=str)
def test_rolled_out_states(monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]) -> None:
    made, x = model(**changes), waves(40)
    z = latent_path(made, x)
    with torch.no_grad():
        torch.testing.assert_close(z, made.encode(x))
    cutoffs = torch.tensor([P - 1, 20, 39, 7])
    ahead = rolled_out(made, z, cutoffs)
    assert ahead.shape == (4, H, 2)
    assert not ahead.requires_grad
    with torch.no_grad():
        for row, t in enumerate(cutoffs.tolist()):
            expected = roll_by_steps(made.dynamics, z[None, t - P + 1 : t + 1], H)[0]
            torch.testing.assert_close(ahead[row], expected)
    monkeypatch.setattr("foretide.training.latent.CHUNK", 3)
    torch.testing.assert_close(rolled_out(made, latent_path(made, x), cutoffs), ahead)
    assert rolled_out(made, z, cutoffs, 2).shape == (4, 2, 2)
    assert rolled_out(made, z, cutoffs[:0]).shape == (0, H, 2)
    assert CHUNK > 1000


def test_rolled_out_states_know_nothing_after_the_cutoff() -> None:
    made, x = model(), waves(40)
    spoilt = x.clone()
    spoilt[21:] = float("nan")
    cutoff = torch.tensor([20])
    a, b = (rolled_out(made, latent_path(made, rows), cutoff) for rows in (x, spoilt))
    assert torch.equal(a, b)


def test_cutoffs_outside_the_path() -> None:
    made = model()
    z = latent_path(made, waves(10))
    for bad in ([P - 2], [10]):
        with pytest.raises(ConfigError, match=r"Cutoffs must be rows 2 to 9 \(order=3 states end at each\)"):
            rolled_out(made, z, torch.tensor(bad))


def test_an_epoch_has_at_most_so_many_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    whole = latent.LatentLearner.batches

    def counted(learner: latent.LatentLearner) -> Any:
        drawn = whole(learner)
        seen.append(len(drawn))
        return drawn

    monkeypatch.setattr(latent.LatentLearner, "batches", counted)
    fit(model(), epochs=2, batch_size=8, patience=None, steps=3)
    fit(model(), epochs=1, batch_size=8, patience=None)
    assert seen[:2] == [3, 3]
    assert seen[2] > 3
