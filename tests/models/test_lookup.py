"""The head that looks something up: where it is added, what it looks at, and that it changes no start."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import make_start

from foretide.models.attention import AttentionBackbone
from foretide.models.config import AttentionConfig
from foretide.models.frame import Frame
from foretide.models.inputs import Hidden, Inputs, Labels, Shape
from foretide.models.lookup import GATE, WIDTH
from foretide.seeding import seeded_init

SIZE, H = 20, 2
KINDS = {"marker": 0, "beside": 1, "other": 0, "low": 0, "known": 0}


def made(kind: str, *, targets: int = 1, n: int = 600, seed: int = 0) -> tuple[Inputs, Labels, np.ndarray]:
    """Windows of noise in which one place ``[n]`` is marked, and what stands there (or one step on) comes back.

    ``other``: what another column holds there (of one target; several copy their own); ``low``: the mark is a zero
    among ones; ``known``: the mark is a known-future column; ``none``: nothing comes back.
    """
    draw = np.random.default_rng(seed)
    place = draw.integers(0, SIZE - 1, n)
    past = draw.standard_normal((n, SIZE, targets + 2))
    mark = (np.arange(SIZE) == place[:, None]).astype(float)
    past[:, :, targets] = 1.0 - mark if kind == "low" else mark
    known = draw.standard_normal((n, SIZE + H, 1))
    if kind == "known":
        past[:, :, targets], known[:, :SIZE, 0], known[:, SIZE:] = 0.0, mark, 0.0
    at = place + KINDS.get(kind, 0)
    value = past[np.arange(n), at, targets + 1 : targets + 2] if kind == "other" else past[np.arange(n), at, :targets]
    y = 0.9 * value[:, None].repeat(H, axis=1) * (kind != "none") + 0.4 * draw.standard_normal((n, H, targets))
    tensors = [torch.from_numpy(x).float() for x in (past, known[:, :SIZE], known[:, SIZE:], y)]
    zeros = torch.zeros(n, dtype=torch.long)
    return Inputs(tensors[0], zeros, zeros, H, tensors[1], tensors[2]), Labels(tensors[3]), at


def built(targets: int = 1, **config: object) -> AttentionBackbone:
    shape = Shape(SIZE, H, targets, targets + 2, known=1)
    start = make_start(shape, level="mean", channels="shared", waves=0)
    start.weights[:], start.intercept[:], start.season.known[:] = 0.0, 0.0, 0.0
    with seeded_init(3):
        return AttentionBackbone(Frame(start, shape), shape, AttentionConfig(hidden=8, heads=2, **config)).eval()  # type: ignore[arg-type]


def run(backbone: AttentionBackbone, inputs: Inputs) -> Hidden:
    with torch.no_grad():
        found: Hidden = backbone(inputs, lambda *_: torch.zeros(()))
    return found


@pytest.mark.parametrize(("kind", "targets"), [*((kind, 1) for kind in KINDS), ("marker", 3), ("beside", 12)])
def test_it_looks_at_the_marked_place_and_the_start_stays(kind: str, targets: int) -> None:
    backbone = built(targets)
    inputs, labels, place = made(kind, targets=targets)
    before = run(backbone, inputs)
    backbone.begin(inputs, labels)
    after = run(backbone, inputs)
    assert backbone.lookup is not None
    assert backbone.attention_shape == (3, H, SIZE) == after.traces["attention"].shape[1:]
    torch.testing.assert_close(after.base, before.base)
    torch.testing.assert_close(after.features, before.features)
    looked = after.traces["attention"][:, -1]
    assert (looked.argmax(dim=2) == torch.from_numpy(place)[:, None]).float().mean() > 0.95
    torch.testing.assert_close(after.traces["attention"][:, :2], before.traces["attention"])


def test_an_open_gate_copies() -> None:
    backbone = built()
    inputs, labels, _ = made("marker")
    backbone.begin(inputs, labels)
    assert backbone.lookup is not None
    with torch.no_grad():
        backbone.lookup.gate.bias.fill_(0.9 / GATE)
    left = run(backbone, inputs).base - labels.y
    assert float(left.square().mean().sqrt()) < 0.45  # the noise alone is 0.4
    assert float(labels.y.square().mean().sqrt()) > 0.9


def test_a_gate_that_never_opened_leaves_no_head() -> None:
    backbone = built()
    inputs, labels, _ = made("marker")
    backbone.begin(inputs, labels)
    assert backbone.lookup is not None
    with torch.no_grad():
        backbone.lookup.gate.weight[0, 3] = 1e-6
    backbone.settle()
    assert backbone.attention_shape[0] == 3
    before = run(backbone, inputs)
    with torch.no_grad():
        backbone.lookup.gate.weight.zero_()
    backbone.settle()
    assert backbone.attention_shape[0] == 2
    torch.testing.assert_close(run(backbone, inputs).base, before.base)


def test_what_drifts_is_no_look_up() -> None:
    """Windows whose level wanders are all mended a little by their own mean, wherever that is read."""
    backbone = built()
    inputs, labels, _ = made("none", seed=7)
    drift = torch.randn(600, generator=torch.Generator().manual_seed(0)).cumsum(0)[:, None, None] * 0.1
    past = inputs.past.clone()
    past[..., :1] += drift
    moved = Inputs(past, inputs.step, inputs.entity, H, inputs.known_past, inputs.known)
    backbone.begin(moved, Labels(labels.y + 1.3 * drift))
    assert backbone.lookup is None


@pytest.mark.parametrize("seed", range(6))
def test_noise_asks_for_nothing(seed: int) -> None:
    backbone = built(1 + 2 * (seed % 2))
    backbone.begin(*made("none", targets=1 + 2 * (seed % 2), seed=seed)[:2])
    assert backbone.lookup is None
    assert backbone.begun() == {"lookup": False}


def test_it_can_be_left_out_and_unobserved_truths_count_for_nothing() -> None:
    inputs, labels, _ = made("marker")
    without = built(lookup=False)
    without.begin(inputs, labels)
    assert without.lookup is None
    unseen = built()
    unseen.begin(inputs, Labels(labels.y, torch.zeros_like(labels.y, dtype=torch.bool)))
    assert unseen.lookup is None


def test_scores_by_hand() -> None:
    backbone = built()
    inputs, labels, _ = made("marker")
    backbone.begin(inputs, labels)
    lookup = backbone.lookup
    assert lookup is not None
    with torch.no_grad():
        for parameter in lookup.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
        seen = torch.randn((2, 4, SIZE), generator=torch.Generator().manual_seed(2))
        state = torch.randn((2, H, 8), generator=torch.Generator().manual_seed(3))
        found = lookup.scores(state, seen).numpy()
    p = {name: x.detach().numpy().astype(np.float64) for name, x in lookup.named_parameters()}
    padded = np.pad(seen.numpy(), ((0, 0), (0, 0), (4, 4)))
    for b in range(2):
        for k in range(H):
            query = state[b, k].numpy() @ p["query.weight"].T + p["probe"][k]
            for step in range(SIZE):
                around = padded[b, :, step : step + 9]
                key = np.tanh([(p["key.weight"][w] * around).sum() + p["key.bias"][w] for w in range(WIDTH)])
                assert found[b, 0, k, step] == pytest.approx(query @ key + p["lag"][step], abs=1e-3)
