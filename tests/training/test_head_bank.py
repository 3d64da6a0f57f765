"""Stage 2: heads side by side equal heads alone, losses equal the slow per-window ones, best states come back."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from foretide.errors import TrainingError
from foretide.heads.base import HeadShape
from foretide.seeding import seeded_init, torch_generator
from foretide.training.config import Stage
from foretide.training.head_bank import HeadBank, HeadData, train_heads

W, H, D, F, N = 60, 4, 5, 3, 2
COLUMNS = {"dense": [3, 0], "sparse": [1], "ultra": [4, 2]}
COUNTS = {"dense": "nb", "sparse": "poisson", "ultra": "zinb"}


def data(seed: int = 0, w: int = W, missing: float = 0.0) -> HeadData:
    """Counts around a base that one feature moves."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(w, H, F))
    base = np.broadcast_to(np.array([2.0, 5.0, 0.3, 20.0, 0.05]), (w, H, D))
    y = rng.poisson(base * np.exp(0.3 * features[..., :1]))
    observed = None if not missing else torch.from_numpy(rng.random((w, H, D)) >= missing)
    tensors = (torch.from_numpy(np.array(a, dtype=np.float32)) for a in (features, base, base, y))
    return HeadData(*tensors, observed, torch.from_numpy(rng.integers(0, N, size=w)))


def bank(heads: dict[str, Any] | None = None, columns: dict[str, list[int]] | None = None) -> HeadBank:
    with seeded_init(0):
        return HeadBank(
            heads or COUNTS, COLUMNS if columns is None else columns, HeadShape(F, D, H, N), torch.ones(N, D)
        )


def fit(made: HeadBank, train: HeadData, validation: HeadData | None = None, **changes: Any) -> Any:
    stage = Stage("stage 2", **{"epochs": 3, "batch_size": 16, "lr": 1e-2, "clip": None, **changes})
    return train_heads(made, train, validation, stage, torch_generator(1))


def state(made: HeadBank, bucket: str) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in made.heads[bucket].state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("clip", [None, 0.5])
def test_training_equals_a_plain_loop_with_autograd(missing: float, clip: float | None) -> None:
    """Same batches, torch's own AdamW and gradient clipping."""
    heads = {"dense": "nb", "sparse": "delta", "ultra": {"name": "zinb", "link": "log"}}
    train = data(missing=missing)
    made, plain = bank(heads), bank(heads)
    fit(made, train, clip=clip, weight_decay=0.1)
    parts = {bucket: train.columns(columns) for bucket, columns in COLUMNS.items()}
    for bucket, own in parts.items():
        plain.begin(bucket, own)
    optimizer = torch.optim.AdamW(plain.parameters(), lr=1e-2, weight_decay=0.1)
    order = torch_generator(1)
    for _ in range(3):
        for chosen in torch.split(torch.randperm(W, generator=order), 16):
            optimizer.zero_grad()
            torch.stack([plain.loss(bucket, own, chosen) for bucket, own in parts.items()]).sum().backward()
            if clip is not None:
                torch.nn.utils.clip_grad_norm_(plain.parameters(), clip)
            optimizer.step()
    for bucket in COLUMNS:
        for name, value in state(plain, bucket).items():
            torch.testing.assert_close(state(made, bucket)[name], value, rtol=1e-3, atol=2e-5, msg=f"{bucket} {name}")


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_side_by_side_equals_alone(missing: float) -> None:
    together = bank()
    fit(together, data(missing=missing), data(1, 30))
    for bucket, columns in COLUMNS.items():
        alone = bank(columns={bucket: columns})
        before = state(alone, bucket)
        fit(alone, data(missing=missing), data(1, 30))
        assert same(state(together, bucket), state(alone, bucket))
        assert not same(before, state(alone, bucket))


def test_the_loss_is_the_mean_over_observed_elements_of_the_bucket() -> None:
    given = data(missing=0.4)
    made = bank(dict.fromkeys(COLUMNS, "nb"))
    for bucket, columns in COLUMNS.items():
        own = given.columns(columns)
        made.begin(bucket, own)
        distribution: Any = made.distribution(bucket, own, slice(None))
        chosen = torch.arange(5, 25)
        total, n = 0.0, 0
        assert own.observed is not None
        mean, spread = (
            distribution.distribution.mean().numpy(force=True),
            distribution.distribution.theta.numpy(force=True),
        )
        spread = np.broadcast_to(spread, mean.shape)
        for w in chosen.tolist():
            for step in range(H):
                for d in range(len(columns)):
                    if own.observed[w, step, d]:
                        theta, mu = float(spread[w, step, d]), float(mean[w, step, d])
                        total -= stats.nbinom.logpmf(float(own.y[w, step, d]), theta, theta / (theta + mu))
                        n += 1
        assert float(made.loss(bucket, own, chosen).detach()) == pytest.approx(total / n, rel=1e-5)


def test_the_best_validation_state_of_each_head_comes_back() -> None:
    """Validation by other data gets worse at last: what comes back is the state of the best epoch, head by head."""
    train, check = data(), data(5, 20)
    states: list[dict[str, dict[str, Tensor]]] = []
    losses: dict[str, list[float]] = {bucket: [] for bucket in COLUMNS}
    for epochs in range(7):
        made = bank()
        fit(made, train, None, epochs=epochs, lr=0.1)
        states.append({bucket: state(made, bucket) for bucket in COLUMNS})
        for bucket, columns in COLUMNS.items():
            losses[bucket].append(float(made.loss(bucket, check.columns(columns), slice(None)).detach()))
    made = bank()
    history = fit(made, train, check, epochs=6, lr=0.1, patience=None)
    best = {bucket: int(np.argmin(found)) for bucket, found in losses.items()}
    assert len(set(best.values())) > 1
    assert any(0 < b < 6 for b in best.values())
    for bucket, epoch in best.items():
        assert same(state(made, bucket), states[epoch][bucket])
    assert history.best_epoch == max(best.values())
    assert [row["epoch"] for row in history.epochs] == list(range(7))
    sums = np.sum([losses[b] for b in COLUMNS], axis=0)
    np.testing.assert_allclose([row["val_loss"] for row in history.epochs], sums, rtol=1e-5)


def test_some_heads_alone_are_the_same_modules() -> None:
    train, check = data(), data(1, 30)
    made, alone = bank(), bank()
    untouched = {bucket: state(made, bucket) for bucket in COLUMNS}
    bucket = next(iter(COLUMNS))
    history = fit(made.only([bucket]), train, check, epochs=3)
    assert list(history.parts) == [bucket]
    assert list(made.heads) == list(COLUMNS)
    assert not same(state(made, bucket), untouched[bucket])
    for other in COLUMNS.keys() - {bucket}:
        assert same(state(made, other), untouched[other])
    fit(alone.only([bucket]), train, check, epochs=3)
    assert same(state(alone, bucket), state(made, bucket))


def test_it_stops_early_and_not_before_the_last_head() -> None:
    train, check = data(), data(5, 20)
    long = fit(bank(), train, check, epochs=40, lr=0.1, patience=None)
    short = fit(bank(), train, check, epochs=40, lr=0.1, patience=2)
    assert len(short.epochs) < 41 == len(long.epochs)
    assert len(short.epochs) - 1 == short.best_epoch + 2


def test_without_validation_the_last_state_stays() -> None:
    made = bank()
    history = fit(made, data(), None, epochs=2, patience=1)
    assert history.best_epoch == 2
    assert all(math.isnan(row["val_loss"]) for row in history.epochs)
    assert not made.training


def test_no_epochs_keep_the_honest_start() -> None:
    made = bank()
    history = fit(made, data(), data(1, 30), epochs=0)
    assert len(history.epochs) == 1
    other = bank()
    for bucket, columns in COLUMNS.items():
        other.begin(bucket, data().columns(columns))
        assert same(state(made, bucket), state(other, bucket))


def test_a_loss_that_is_not_finite_is_an_error() -> None:
    broken = data()
    broken.base[3, 1, 3] = float("nan")
    with pytest.raises(
        TrainingError,
        match=r"loss of the heads in stage 2 became nan in epoch 1, batch \d of 4 \(windows .*Lower head_lr",
    ):
        fit(bank(dict.fromkeys(COLUMNS, "delta")), broken)


def test_what_is_not_observed_teaches_nothing() -> None:
    given = data(missing=0.3)
    assert given.observed is not None
    other = replace(given, y=torch.where(given.observed, given.y, 7.0))
    a, b = bank(), bank()
    fit(a, given)
    fit(b, other)
    for bucket in COLUMNS:
        assert same(state(a, bucket), state(b, bucket))


def test_a_silent_series_follows_its_base_when_it_wakes() -> None:
    given = data()
    given.y[:, :, 4] = 0.0
    given.base[:, :, 4] = 0.0
    made = bank({b: {"name": "zinb", "link": "log"} for b in COLUMNS})
    fit(made, given)
    awake = given.columns(COLUMNS["ultra"])
    awake.base[..., 0] = 3.0
    assert float(made.distribution("ultra", awake, slice(None)).mean()[..., 0].detach().min()) > 0.5
    assert (
        float(made.distribution("ultra", given.columns(COLUMNS["ultra"]), slice(None)).mean()[..., 0].detach().max())
        < 1e-6
    )


def test_buckets_without_targets_have_no_head() -> None:
    made = bank(columns={"dense": [], "sparse": list(range(D)), "ultra": []})
    assert list(made.heads) == ["sparse"]
    assert list(made.columns) == ["sparse"]
    fit(made, data(), data(1, 10))


def test_a_head_learns_from_the_series_of_its_bucket_alone() -> None:
    """One target, ``N`` entities in different buckets: the same as a bank of each bucket's windows by itself."""
    given, check = data(), data(1, 20)
    one = replace(given, **{name: getattr(given, name)[..., :1] for name in ("base", "scale", "y")})
    judged = replace(check, **{name: getattr(check, name)[..., :1] for name in ("base", "scale", "y")})
    members = {"dense": torch.tensor([[True], [False]]), "ultra": torch.tensor([[False], [True]])}

    def made(chosen: dict[str, Tensor]) -> HeadBank:
        with seeded_init(0):
            return HeadBank(
                {b: COUNTS[b] for b in chosen}, {b: [0] for b in chosen}, HeadShape(F, 1, H, N), torch.ones(N, 1),
                chosen,
            )  # fmt: skip

    together = made(members)
    fit(together, one, judged)
    wild = replace(one, y=torch.where((one.entity == 1)[:, None, None], one.y + 50.0, one.y))
    other = made(members)
    fit(other, wild, judged)
    # What comes in series of the other bucket changes nothing.
    assert same(state(together, "dense"), state(other, "dense"))
    assert not same(state(together, "ultra"), state(other, "ultra"))
    part = together.part("dense", one)
    assert (part.entity == 0).all()
    torch.testing.assert_close(part.y, one.y[one.entity == 0])
    places = torch.arange(W)
    torch.testing.assert_close(part.here(places), torch.arange(int((one.entity == 0).sum())))
    # One bucket alone learns from its own windows, however few of a batch they would be.
    single = replace(one, entity=torch.where(torch.arange(W) < 3, one.entity * 0, one.entity * 0 + 1))
    alone = made(members).only(["dense"])
    assert len(fit(alone, single, judged, batch_size=2).epochs) == 4
    # A bucket without windows is left as it was made, and a new entity gets what its bucket's series share.
    idle = made({"dense": torch.ones(N, 1, dtype=torch.bool), "ultra": torch.zeros(N, 1, dtype=torch.bool)})
    before = state(idle, "ultra")
    fit(idle, one, judged)
    assert same(before, state(idle, "ultra"))
    new = together.for_new(torch.ones(3, 1), {b: torch.ones(3, 1, dtype=torch.bool) for b in members})
    own = together.heads["ultra"].dispersion.series[1]
    assert torch.equal(new.heads["ultra"].dispersion.series, own.expand(3, 1))
    assert torch.equal(together.heads["ultra"].dispersion.series[1], own)


def test_a_batch_may_hold_no_window_of_a_heads_series() -> None:
    given = data()
    one = replace(given, **{name: getattr(given, name)[..., :1] for name in ("base", "scale", "y")})
    rare = replace(one, entity=(torch.arange(W) == 7).long())
    with seeded_init(0):
        made = HeadBank(
            {"ultra": "nb"}, {"ultra": [0]}, HeadShape(F, 1, H, N), torch.ones(N, 1),
            {"ultra": torch.tensor([[False], [True]])},
        )  # fmt: skip
    before = state(made, "ultra")
    history = fit(made, rare, batch_size=4, epochs=1)
    assert math.isfinite(history.epochs[-1]["train_loss"])
    assert not same(before, state(made, "ultra"))
