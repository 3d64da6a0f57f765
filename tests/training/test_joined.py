"""Processes that train together, most of them threads here: they share nothing but their store and their sockets."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import foretide as ft
from foretide.data.checkpoints import keeping
from foretide.errors import ConfigError, DataError, TrainingError, WorkerDiedError
from foretide.forecasters.options import decisive
from foretide.seeding import torch_generator
from foretide.training import joined, loop, ranks
from foretide.training.config import TrainingConfig
from foretide.training.followers import Followers, LostError
from foretide.training.joined import JoinedLearner
from foretide.training.learner import Group, NetworkLearner
from foretide.training.loop import History
from foretide.training.network import Network
from foretide.training.ranks import Ranks
from foretide.training.store import WindowBatches

EPOCHS = 3
CPU = torch.device("cpu")
NETWORKS: list[tuple[str, dict[str, Any]]] = [
    ("LSTM", {"hidden": 8, "head": "gaussian", "fit_mean_first": False}),
    ("Attention", {"hidden": 8, "heads": 2, "head": "point"}),
]


class CaughtError(Exception):
    """Ends a fit where training would begin."""


def before_training(
    kind: str, options: dict[str, Any], holes: bool = False, counts: bool = False
) -> tuple[Network, Any, TrainingConfig]:  # fmt: skip
    """A network, its windows and settings, as they come to the training."""
    rng, taken = np.random.default_rng(1), []
    table = ft.synthetic.hourly(T=160, n_series=2, seed=1).panel
    if counts:
        table = table.with_values(np.rint(np.abs(table.values)))
    if holes:
        values = table.values.copy()
        values[rng.random(values.shape) < 0.2] = np.nan
        table = table.with_values(values)
    settings = {"input_size": 12, "batch_size": 25, "by_step": False, "lr": 3e-3, "patience": None, **options}
    model = getattr(ft, kind)(4, epochs=EPOCHS, device="cpu", **settings)

    def take(network: Network, windows: Any, config: TrainingConfig, *_: object) -> None:
        taken.append((network, windows, config))
        raise CaughtError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("foretide.training.network_training.joined_learner", take)
        with pytest.raises(CaughtError):
            model.fit(table)
    return taken[0]  # type: ignore[no-any-return]


def learner_of(
    network: Network, windows: Any, config: TrainingConfig, own: Ranks | None = None,
    kind: type[JoinedLearner] = JoinedLearner,
) -> NetworkLearner:  # fmt: skip
    network = copy.deepcopy(network)
    groups = [Group(params=list(network.parameters()), lr=config.lr, weight_decay=0.0)]
    if own is None:
        return NetworkLearner(network, windows, config, groups, torch_generator(3))
    return kind(network, windows, config, groups, torch_generator(3 + own.rank), own)


def together(folder: Path, size: int, make: Callable[[Ranks], Any], lead: Callable[[Any], Any]) -> list[Any]:
    """What each of several threads returns; that of rank 0 leads."""
    found: list[Any] = [None] * size

    def begin(rank: int) -> None:
        store = torch.distributed.FileStore(str(folder / "store"), size)  # type: ignore[attr-defined]
        learner = make(Ranks(rank, size, store, CPU, local=True))
        try:
            found[rank] = learner
            if rank:
                learner.follow()
            else:
                with learner.leading():
                    lead(learner)
                    learner.ended(History())
        except Exception as error:
            found[rank] = error

    threads = [threading.Thread(target=begin, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


def weights(learner: NetworkLearner) -> dict[str, torch.Tensor]:
    return {name: value for name, value in learner.moving().items() if name.startswith(("live", "average", "moment"))}


@pytest.mark.parametrize(("kind", "options"), NETWORKS)
@pytest.mark.parametrize("size", [2, 3])
def test_several_processes_learn_what_one_learns(
    kind: str, options: dict[str, Any], size: int, tmp_path: Path
) -> None:  # fmt: skip
    network, windows, config = before_training(kind, options, holes=size == 3)
    alone = learner_of(network, windows, config)
    history = loop.train(alone, config)
    histories = []
    found = together(
        tmp_path, size, lambda own: learner_of(network, windows, config, own),
        lambda learner: histories.append(loop.train(learner, config)),
    )  # fmt: skip
    assert history.epochs[-1]["train_loss"] < history.epochs[1]["train_loss"]
    for here, there in zip(history.epochs, histories[0].epochs, strict=True):
        assert (there["train_loss"], there["val_loss"]) == pytest.approx(
            (here["train_loss"], here["val_loss"]), rel=1e-5, nan_ok=True
        )
    for name, value in weights(alone).items():
        assert torch.allclose(value, weights(found[0])[name], rtol=0, atol=1e-6), name
    for other in found[1:]:  # rank 0 alone goes back to its best state
        assert all(torch.equal(v, weights(found[0])[n]) for n, v in weights(other).items() if n.startswith("moment"))


def test_a_batch_smaller_than_the_number_of_processes(tmp_path: Path) -> None:
    network, windows, config = before_training(*NETWORKS[0])
    batch = torch.tensor([5, 9])
    alone = learner_of(network, windows, config)
    loss = alone.step(batch)
    steps: list[torch.Tensor] = []

    def one_step(learner: JoinedLearner) -> None:
        learner.batches = lambda: [batch]  # type: ignore[method-assign]
        steps.append(learner.step(batch))

    def make(own: Ranks) -> JoinedLearner:
        learner = learner_of(network, windows, config, own)
        assert isinstance(learner, JoinedLearner)
        if own.rank:
            learner.follow = lambda: learner.step(batch)  # type: ignore[assignment,method-assign,return-value]
        return learner

    found = together(tmp_path, 4, make, one_step)
    assert float(steps[0]) == pytest.approx(float(loss), rel=1e-6)
    for learner in found:
        for name, value in weights(alone).items():
            assert torch.allclose(value, weights(learner)[name], rtol=0, atol=1e-7), name


class Deserter(JoinedLearner):
    """Leaves in the middle of an epoch."""

    left = 8

    def gradient(self, batch: torch.Tensor) -> torch.Tensor:
        """Some of them, then none."""
        self.left -= 1
        if not self.left:
            self.ranks.close()
            raise LostError
        return super().gradient(batch)


def test_a_process_that_is_gone_leaves_the_epoch_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foretide.data.pace.LEAST", 0.0)
    network, windows, config = before_training(*NETWORKS[0])
    whole = learner_of(network, windows, config)
    loop.train(whole, config)

    def make(own: Ranks) -> NetworkLearner:
        return learner_of(network, windows, config, own, Deserter if own.rank else JoinedLearner)

    def lead(learner: JoinedLearner) -> None:
        with keeping(tmp_path / "kept", {}):
            loop.train(learner, config)

    lost, _ = together(tmp_path, 2, make, lead)
    assert isinstance(lost, WorkerDiedError)
    assert "One of the 2 processes that train together ended in epoch 2" in str(lost)
    again, told = learner_of(network, windows, config), []
    with keeping(tmp_path / "kept", {}):
        loop.train(again, config, on_epoch=told.append)
    assert [row["epoch"] for row in told] == list(range(EPOCHS + 1))
    for name, value in weights(whole).items():
        assert torch.allclose(value, weights(again)[name], rtol=0, atol=1e-6), name


def test_processes_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = ft.synthetic.hourly(T=160, n_series=2, seed=1).panel
    settings: dict[str, Any] = {
        "input_size": 12,
        "hidden": 8,
        "by_step": False,
        "epochs": 2,
        "lr": 0.01,
        "device": "cpu",
    }
    alone = ft.LSTM(4, **settings).fit(panel)
    begun: list[Followers] = []
    monkeypatch.setattr(joined, "Followers", lambda *own: begun.append(Followers(*own)) or begun[0])
    model = ft.LSTM(4, **settings, devices=2).fit(panel)
    assert begun[0].called
    assert not begun[0].thread.is_alive()
    assert not begun[0].folder.exists()
    assert model.history[1]["train_loss"] == pytest.approx(alone.history[1]["train_loss"], rel=1e-5)
    np.testing.assert_allclose(model.predict(panel).mean, alone.predict(panel).mean, rtol=1e-5)


@pytest.mark.parametrize(
    ("devices", "started", "message"),
    [
        (3, "2", "devices=3, and torchrun has started 2 processes. Type devices=2"),
        (0, None, "devices=0 cannot work"),
        (2.5, None, "devices=2.5 cannot work"),
    ],
)
def test_how_many_cannot_work(
    devices: Any, started: str | None, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    for name in ranks.TOGETHER if started else ():
        monkeypatch.setenv(name, started or "")
    with pytest.raises(ConfigError, match=message):
        ft.LSTM(4, input_size=12, hidden=4, devices=devices, device="cpu").fit(ft.synthetic.hourly(T=160, seed=1).panel)


def test_lavar_says_that_it_trains_in_one_process() -> None:
    with pytest.raises(ConfigError, match="LAVAR trains in one process"):
        ft.LAVAR(h=4, devices=2)  # type: ignore[call-arg]


def test_in_a_worker_one_process_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "jobs_here", lambda n: 1)
    assert ranks.n_ranks(4, CPU) == 1


def test_what_fails_before_the_training_ends_them_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Followers] = []
    monkeypatch.setattr(joined, "Followers", lambda *own: begun.append(Followers(*own)) or begun[0])
    panel = ft.synthetic.hourly(T=160, n_series=2, seed=1).panel
    with pytest.raises(DataError, match="is for counts"):
        ft.LSTM(4, input_size=12, head="nb", devices=2, device="cpu").fit(panel)
    assert not begun[0].called
    assert not begun[0].thread.is_alive()
    assert not begun[0].folder.exists()


def test_a_job_under_torchrun_starts_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, windows, config = before_training(*NETWORKS[0])
    for name in ranks.TOGETHER:
        monkeypatch.setenv(name, "2")
    groups = [Group(params=list(network.parameters()), lr=0.01, weight_decay=0.0)]
    with (
        keeping(tmp_path / "kept", {}),
        pytest.raises(ConfigError, match="devices=2 without torchrun"),
        joined.joined_learner(network, windows, replace(config, devices=2), groups, torch_generator(0)),
    ):
        pass


def test_an_error_in_the_process_that_leads_ends_the_others(tmp_path: Path) -> None:
    network, windows, config = before_training(*NETWORKS[0])

    def lead(learner: JoinedLearner) -> None:
        learner.validate()
        raise CaughtError

    mine, theirs = together(tmp_path, 2, lambda own: learner_of(network, windows, config, own), lead)
    assert isinstance(mine, CaughtError)
    assert isinstance(theirs, TrainingError)


def test_the_number_of_processes_decides_nothing() -> None:
    """Neither the name of a fit nor that of a job."""
    settings = {"models": [{"name": "LSTM", "settings": {"hidden": 8, "devices": 2}}], "devices": ["a", "b"]}
    assert decisive(settings) == {"models": [{"name": "LSTM", "settings": {"hidden": 8}}], "devices": ["a", "b"]}


def test_windows_on_their_way() -> None:
    """What other processes get is what is here, without the panel."""
    _, (train, _), _ = before_training(*NETWORKS[1], holes=True)
    copied: WindowBatches = pickle.loads(pickle.dumps(train))
    chosen = torch.tensor([0, 7, len(train) - 1])
    for mine, theirs in zip(train.batch(chosen), copied.batch(chosen), strict=True):
        for field in fields(mine):
            value, other = getattr(mine, field.name), getattr(theirs, field.name)
            assert torch.equal(value, other) if isinstance(value, torch.Tensor) else value == other, field.name
    assert not hasattr(copied.store, "panel")
