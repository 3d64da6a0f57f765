"""Train a network for :class:`foretide.Pretrained` on synthetic series, and write its file of weights.

Series come from :mod:`pretrain_series` only. New ones are drawn all the time into a pool that training takes batches
from; the step size falls to nothing over ``--minutes``. Weights, averaged over the last steps, are written every
``--tell`` seconds, and again at the end. The package's own file holds two such networks, their numbers in front of the
names.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from common import arguments
from pretrain_series import AHEAD, LENGTHS, SEASONS, pick, series
from safetensors.numpy import save_file
from torch import nn

from foretide.forecasters.pretrained.bank import SIZE
from foretide.forecasters.pretrained.features import LEVELS, MEMBER, RECENT, WINDOW, seen
from foretide.forecasters.pretrained.pretrained import LONGEST

STEPS, BLOCK, BATCH = 5, 128, 512
"""Steps ahead of each series; series drawn at a time; samples of one step of training."""
USES = 2.5
"""How often a sample is trained on, on average, before newer ones take its place."""
FIRST = 20_000
"""Samples drawn before training begins."""
HELD = 10**6
"""First seed of the series held back."""


def block(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Windows of one block of series and what followed them, in units of each window."""
    m = int(pick(rng, 1, SEASONS)[0])
    low, high = LENGTHS[m]
    length = int(np.exp(rng.uniform(np.log(low), np.log(high))))
    longest = int(np.exp(rng.uniform(0, np.log(AHEAD[m] + 1))))
    steps = np.unique(np.round(np.exp(rng.uniform(0, np.log(longest + 1), STEPS)))).clip(1, longest)
    steps = np.sort(np.concatenate([steps, rng.integers(1, longest + 1, STEPS - len(steps))])).astype(int)
    y = series(rng, BLOCK, length + longest, m)
    past, ahead = y[:length][-LONGEST:], y[length - 1 + steps]
    told = (~np.isnan(past)).sum(axis=0) >= min(3, length)
    past, ahead = past[:, told], ahead[:, told].T
    s = seen(past, m, steps)
    middle = np.median(s.forecasts, axis=2)
    unit, scale = s.unit[:, None], s.scale[:, None]
    floor = np.where((np.nan_to_num(past) >= 0).all(axis=0)[:, None], -middle / scale, -1e4)
    found = {
        "members": s.members, "window": s.window, "usable": np.broadcast_to(s.usable[:, None], s.forecasts.shape),
        "forecasts": (s.forecasts - middle[:, :, None]) / scale[:, :, None], "size": s.size / scale[:, :, None],
        "recent": (s.recent[:, None] - middle[:, :, None, None]) / scale[:, :, None, None],
        "floor": floor, "truth": (ahead / unit - middle) / scale,
        "weight": 1 / np.maximum(1, np.median(s.size, axis=2) / scale),
    }  # fmt: skip
    flat = {name: x.reshape(-1, *x.shape[2:]) for name, x in found.items()}
    good = np.isfinite(flat["truth"]) & (np.abs(flat["truth"]) < 1e3)
    return {
        name: x[good] if x.dtype == bool else np.clip(x[good], -3e4, 3e4).astype(np.float16) for name, x in flat.items()
    }


class Pool:
    """A ring of samples."""

    def __init__(self, room: int) -> None:
        self.room, self.held, self.next, self.drawn = room, 0, 0, 0
        self.table: dict[str, np.ndarray] = {}

    def add(self, new: dict[str, np.ndarray]) -> None:
        if not self.table:
            self.table = {name: np.empty((self.room, *x.shape[1:]), x.dtype) for name, x in new.items()}
        n = len(new["truth"])
        rows = (self.next + np.arange(n)) % self.room
        for name, x in new.items():
            self.table[name][rows] = x
        self.drawn += n
        self.next, self.held = int((self.next + n) % self.room), min(self.room, self.held + n)

    def batch(self, rng: np.random.Generator, n: int) -> dict[str, torch.Tensor]:
        rows = rng.integers(0, self.held, n)
        return tensors({name: x[rows] for name, x in self.table.items()})


def tensors(batch: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(x if x.dtype == bool else x.astype(np.float32)) for name, x in batch.items()}


class Weigher(nn.Module):
    """Weights of the filters, and quantiles around what they say together."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.member_mean, self.member_sd = (
            nn.Parameter(x, requires_grad=False) for x in (torch.zeros(MEMBER), torch.ones(MEMBER))
        )
        self.window_mean, self.window_sd = (
            nn.Parameter(x, requires_grad=False) for x in (torch.zeros(WINDOW), torch.ones(WINDOW))
        )
        self.who = nn.Parameter(0.1 * torch.randn(SIZE, width))
        self.of_member = nn.Linear(MEMBER, width)
        self.of_window = nn.Linear(WINDOW, width)
        self.of_all = nn.Linear(width, width)
        self.second = nn.Linear(width, width)
        self.score = nn.Linear(width, 1)
        self.prior = nn.Parameter(torch.zeros(SIZE))
        self.trunk = nn.Linear(2 * width + WINDOW, 2 * width)
        self.trunk2 = nn.Linear(2 * width, width)
        self.out = nn.Linear(width, len(LEVELS) + len(RECENT) + 1)
        with torch.no_grad():
            self.out.weight *= 0.1
            normal = torch.special.ndtri(torch.tensor(LEVELS)).diff() * 1.25
            self.out.bias[: len(LEVELS)] = torch.cat([torch.zeros(1), normal.expm1().log()])
            self.out.bias[len(LEVELS) :] = torch.tensor([3.0, 0.0, 0.0, 0.0])

    def forward(self, b: dict[str, torch.Tensor]) -> torch.Tensor:
        members = (b["members"] - self.member_mean) / self.member_sd
        window = (b["window"] - self.window_mean) / self.window_sd
        usable = b["usable"].float()
        h = torch.relu(self.of_member(members) + self.who + self.of_window(window)[:, None])
        pooled = (h * usable[..., None]).sum(1) / usable.sum(1, keepdim=True)
        h = torch.relu(self.second(h) + self.of_all(pooled)[:, None])
        logit = self.score(h)[..., 0] + self.prior
        share = torch.softmax(logit.masked_fill(~b["usable"], -1e9), dim=1)
        together = (share[..., None] * h).sum(1)
        t = torch.relu(self.trunk(torch.cat([pooled, together, window], dim=1)))
        out = self.out(torch.relu(self.trunk2(t)))
        centre, spread = (share * b["forecasts"]).sum(1), (share * b["size"]).sum(1) + 0.02
        offset, gaps, gate = (
            out[:, :1],
            nn.functional.softplus(out[:, 1 : len(LEVELS)]),
            torch.softmax(out[:, len(LEVELS) :], dim=1),
        )
        mid = len(LEVELS) // 2
        below = gaps[:, :mid].flip(1).cumsum(1).flip(1)
        place = torch.cat([offset - below, offset, offset + gaps[:, mid:].cumsum(1)], dim=1)
        own = centre[:, None] + spread[:, None] * place
        return gate[:, :1] * own + (gate[:, 1:, None] * b["recent"]).sum(1)

    def loss(self, b: dict[str, torch.Tensor]) -> torch.Tensor:
        q = torch.maximum(self(b), b["floor"][:, None])
        e = b["truth"][:, None] - q
        level = q.new_tensor(LEVELS)
        pinball = torch.maximum(level * e, (level - 1) * e).mean(1)
        return (pinball * b["weight"]).clamp(max=20).mean()


class Average:
    """Weights of the network averaged over the last few hundred steps."""

    def __init__(self, net: nn.Module) -> None:
        self.net, self.steps = net, 0
        self.table = {name: x.detach().clone() for name, x in net.state_dict().items()}

    @torch.no_grad()
    def follow(self) -> None:
        self.steps += 1
        keep = min(0.998, self.steps / (self.steps + 50))
        for name, x in self.net.state_dict().items():
            self.table[name].mul_(keep).add_(x, alpha=1 - keep)

    @torch.no_grad()
    def judged(self, held: dict[str, torch.Tensor], path: Path) -> float:
        """Write the weights; return their loss on series that training never sees."""
        save_file({name: x.numpy() for name, x in self.table.items()}, path)
        now = {name: x.clone() for name, x in self.net.state_dict().items()}
        self.net.load_state_dict(self.table)
        value = float(self.net.loss(held))
        self.net.load_state_dict(now)
        return value


def begun(width: int, pool: Pool, rng: np.random.Generator) -> Weigher:
    """Return a network that knows the means and spreads of its features."""
    net, first = Weigher(width), pool.batch(rng, FIRST)
    for name, features in (("member", first["members"].flatten(0, 1)), ("window", first["window"])):
        getattr(net, f"{name}_mean").data = features.mean(0)
        getattr(net, f"{name}_sd").data = features.std(0) + 1e-2
    return net


def main() -> None:
    """Train."""
    chosen = arguments(
        __doc__, minutes={"type": float, "default": 60.0}, width={"type": int, "default": 64},
        seed={"type": int, "default": 0}, out={"type": Path, "required": True},
        rate={"type": float, "default": 2e-3}, pool={"type": int, "default": 600_000},
        tell={"type": float, "default": 90.0, "help": "seconds between two lines"},
    )  # fmt: skip
    rng, began, seconds = np.random.default_rng(chosen.seed), time.time(), 60 * chosen.minutes
    torch.manual_seed(chosen.seed)
    parts = [block(np.random.default_rng(HELD + i)) for i in range(40)]
    held = tensors({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
    pool = Pool(chosen.pool)
    while pool.held < FIRST:
        pool.add(block(rng))
    net = begun(chosen.width, pool, rng)
    train, average = [p for p in net.parameters() if p.requires_grad], Average(net)
    optimiser = torch.optim.AdamW(train, lr=chosen.rate, weight_decay=1e-3)
    print(sum(p.numel() for p in train), "parameters", flush=True)
    told, losses = time.time(), []
    while (done := (time.time() - began) / seconds) < 1:
        while pool.drawn * USES < (average.steps + 1) * BATCH:
            pool.add(block(rng))
        for group in optimiser.param_groups:
            group["lr"] = chosen.rate * min(1, (average.steps + 1) / 200) * 0.5 * (1 + np.cos(np.pi * done))
        loss = net.loss(pool.batch(rng, BATCH))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(train, 1.0)
        optimiser.step()
        average.follow()
        losses.append(float(loss.detach()))
        if time.time() - told > chosen.tell:
            value, told = average.judged(held, chosen.out), time.time()
            spoken = f"{average.steps} steps, {pool.drawn} samples, loss {np.mean(losses[-300:]):.4f}"
            print(f"{told - began:6.0f} s: {spoken}, held back {value:.4f}", flush=True)
    print(f"held back {average.judged(held, chosen.out):.4f}")


if __name__ == "__main__":
    main()
