from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from foretide.training.saved import arrays_of, facts_of, prefixed, put_weights, rebuilt, under, weights_of
from foretide.typing import Bools, Floats


@dataclass(frozen=True, eq=False)
class Learned:
    size: Floats
    flags: Bools
    names: tuple[str, ...]
    season: int | None = None


def test_what_was_learned_comes_back() -> None:
    made = Learned(np.arange(3.0), np.array([True, False]), ("a", "b"), 7)
    assert list(arrays_of(made)) == ["size", "flags"]
    assert facts_of(made) == {"names": ["a", "b"], "season": 7}
    stored = {**arrays_of(made), "flags": made.flags.astype(np.uint8)}
    again = rebuilt(Learned, stored, facts_of(made), {"other": 1})
    np.testing.assert_array_equal(again.size, made.size)
    assert again.flags.dtype == bool
    assert (again.names, again.season) == (("a", "b"), 7)


def test_prefixes() -> None:
    arrays = {"a": np.zeros(1), "b": np.ones(1)}
    both = {**prefixed("x.", arrays), **prefixed("y.", arrays)}
    assert list(both) == ["x.a", "x.b", "y.a", "y.b"]
    assert list(under("y.", both)) == ["a", "b"]


def test_weights() -> None:
    one, other = torch.nn.Linear(2, 3), torch.nn.Linear(2, 3)
    put_weights(other, weights_of(one))
    assert torch.equal(one.weight, other.weight)
