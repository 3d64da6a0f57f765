"""Threads of the networks during a run."""

from __future__ import annotations

import pytest
import torch

from foretide.forecasters.base import Forecaster
from foretide.forecasters.networks.attention import Attention
from foretide.forecasters.simple.baselines import Persistence
from foretide.jobs.roster import Entry
from foretide.jobs.threads import network_threads


def entry(forecaster: Forecaster) -> Entry:
    return Entry(forecaster=forecaster, baseline=False, asked=True)


def test_set_for_networks_and_given_back_after_an_error() -> None:
    before = torch.get_num_threads()
    with pytest.raises(RuntimeError, match="inside"), network_threads([entry(Attention(h=2))], before + 1):
        assert torch.get_num_threads() == before + 1
        raise RuntimeError("inside")
    assert torch.get_num_threads() == before


def test_left_alone_without_networks() -> None:
    before = torch.get_num_threads()
    with network_threads([entry(Persistence(h=2))], before + 1):
        assert torch.get_num_threads() == before
