"""The loop alone, with a learner whose losses are told beforehand."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from foretide.data import pace
from foretide.data.checkpoints import keeping
from foretide.errors import TrainingError
from foretide.training.loop import Learner, shuffled, train
from foretide.training.watch import Epoch, watching


class Scripted(Learner[int]):
    """Two numbers that count epochs; validation losses as told, batches 1 and 3 with losses 1 and 3."""

    def __init__(self, losses: dict[str, Sequence[float]]) -> None:
        self.losses = losses
        self.parts = {part: [torch.zeros(())] for part in ("a", "b")}
        self.epoch = -1
        self.broken = 0

    def batches(self) -> Sequence[int]:
        return [1, 3]

    def step(self, batch: int) -> Tensor:
        for (number,) in self.parts.values():
            number.add_(0.5)
        return torch.tensor(math.nan if batch == self.broken else float(batch))

    def validate(self) -> dict[str, float]:
        self.epoch += 1
        return {part: told[self.epoch] for part, told in self.losses.items()}

    def weight(self, batch: int) -> float:
        return float(batch)

    def moving(self) -> dict[str, Tensor]:
        return {**{part: number for part, (number,) in self.parts.items()}, "epoch": torch.tensor(self.epoch)}

    def take_up(self, state: Mapping[str, Tensor]) -> None:
        for part, (number,) in self.parts.items():
            number.copy_(state[part])
        self.epoch = int(state["epoch"])

    def describe(self, batch: int) -> str:
        return f"window {batch}"

    @property
    def advice(self) -> tuple[str, str]:
        return "made-up loss", "Do something else"

    def values(self) -> list[float]:
        return [float(number) for (number,) in self.parts.values()]


def schedule(epochs: int = 4, patience: int | None = None) -> SimpleNamespace:
    return SimpleNamespace(epochs=epochs, patience=patience)


def test_each_part_goes_back_to_its_best() -> None:
    learner = Scripted({"a": [9, 3, 1, 2, 2], "b": [5, 6, 7, 8, 4]})
    history = train(learner, schedule())
    assert history.parts == {"a": 2, "b": 4}
    assert learner.values() == [2.0, 4.0]
    assert history.best_epoch == 4
    assert [row["val_loss"] for row in history.epochs] == [14, 9, 8, 10, 6]
    assert history.epochs[1]["train_loss"] == pytest.approx((1 * 1 + 3 * 3) / 4)


def test_patience_waits_for_the_last_part() -> None:
    losses = {"a": [9, 3, 3, 3, 3, 3, 3], "b": [9, 8, 7, 9, 9, 9, 9]}
    assert len(train(Scripted(losses), schedule(6, patience=2)).epochs) - 1 == 4
    assert len(train(Scripted(losses), schedule(6)).epochs) - 1 == 6


def test_it_stops_where_it_is_told_to() -> None:
    learner, asked = Scripted({"a": [10, 9, 8, 7, 6]}), list[int]()

    def stop(epoch: int) -> bool:
        asked.append(epoch)
        return epoch == 2

    history = train(learner, schedule(), stop=stop)
    assert (asked, history.parts, len(history.epochs)) == ([1, 2], {"a": 2}, 3)


def test_without_validation_the_last_state_stays() -> None:
    learner = Scripted({})
    history = train(learner, schedule(3, patience=1))
    assert (history.best_epoch, history.parts, learner.values()) == (3, {}, [3.0, 3.0])
    assert all(math.isnan(row["val_loss"]) for row in history.epochs)


def test_a_loss_that_is_not_finite_is_named() -> None:
    learner = Scripted({})
    learner.broken = 3
    message = r"The made-up loss became nan in epoch 1, batch 2 of 2 \(window 3\)\. .* Do something else, or look"
    with pytest.raises(TrainingError, match=message):
        train(learner, schedule())


def test_rows_go_to_the_callback_and_to_those_who_watch() -> None:
    shown: list[Epoch] = []
    watched: list[Epoch] = []
    with watching(watched.append):
        history = train(Scripted({}), schedule(2), on_epoch=shown.append)
    assert shown == history.epochs
    assert [row["epoch"] for row in watched] == [0, 1, 2]


def test_shuffled() -> None:
    parts = shuffled(10, 4, None, torch.Generator().manual_seed(0))
    assert [len(part) for part in parts] == [4, 4, 2]
    assert sorted(torch.cat(list(parts)).tolist()) == list(range(10))
    assert len(shuffled(10, 4, 2, torch.Generator())) == 2


def test_a_killed_training_goes_on_from_its_last_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LEAST", "SHARE", "COST"):
        monkeypatch.setattr(pace, name, 0.0)
    losses = {"a": [9, 3, 1, 2, 2], "b": [5, 6, 7, 8, 4]}

    def until(last: int) -> Callable[[Epoch], None]:
        def look(row: Epoch) -> None:
            if row["epoch"] == last:
                raise KeyboardInterrupt

        return look

    whole = Scripted(losses)
    history = train(whole, schedule())
    for last in (2, 4):
        with keeping(tmp_path, {}), pytest.raises(KeyboardInterrupt):
            train(Scripted(losses), schedule(), on_epoch=until(last))
    seen: list[int] = []
    resumed = Scripted(losses)
    with keeping(tmp_path, {}):
        again = train(resumed, schedule(), on_epoch=lambda row: seen.append(row["epoch"]))
    assert seen == [0, 1, 2, 3, 4]  # whoever watches sees all of it
    assert (again.parts, again.best_epoch, resumed.values()) == (history.parts, history.best_epoch, whole.values())
    told = [[(row["train_loss"], row["val_loss"]) for row in one.epochs[1:]] for one in (history, again)]
    assert told[0] == told[1]
    ended = Scripted(losses)
    monkeypatch.setattr(ended, "step", lambda batch: pytest.fail("it was trained"))
    with keeping(tmp_path, {}):
        assert train(ended, schedule()).parts == history.parts
    assert ended.values() == whole.values()
