"""Threads of the networks during a run."""

from __future__ import annotations

import pytest
import torch

from foretide.forecasters.networks.attention import Attention
from foretide.forecasters.simple.baselines import Persistence
from foretide.jobs.threads import network_threads


def test_set_for_networks_and_given_back_after_an_error() -> None:
    before = torch.get_num_threads()
    with pytest.raises(RuntimeError, match="inside"), network_threads([Attention(h=2)], before + 1):
        assert torch.get_num_threads() == before + 1
        raise RuntimeError("inside")
    assert torch.get_num_threads() == before


def test_left_alone_without_networks() -> None:
    before = torch.get_num_threads()
    with network_threads([Persistence(h=2)], before + 1):
        assert torch.get_num_threads() == before
