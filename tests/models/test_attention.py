from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from networks import frame_by_hand, make_inputs, make_start
from torch import nn

from foretide.errors import ConfigError
from foretide.models.attention import AttentionBackbone, EncoderLayer, copy_start
from foretide.models.config import AttentionConfig
from foretide.models.frame import Frame
from foretide.models.inputs import Feedback, Hidden, Inputs, Shape
from foretide.seeding import seeded_init

SHAPE = Shape(input_size=10, h=3, targets=2, channels=3, known=2, static=1)
STARTS = list(itertools.product(("last", "mean", "none"), ("shared", "own", "all")))


def no_feedback(*_: torch.Tensor) -> torch.Tensor:
    raise AssertionError("all horizon steps are decoded at once, so nothing is fed back")


def build(
    shape: Shape = SHAPE, *, level: str = "last", channels: str = "all", perturb: bool = False, **config: object
) -> AttentionBackbone:
    with seeded_init(5):
        settings = AttentionConfig(**{"hidden": 8, "heads": 2, **config})  # type: ignore[arg-type]
        backbone = AttentionBackbone(Frame(make_start(shape, level=level, channels=channels), shape), shape, settings)
        if perturb:
            for parameter in backbone.parameters():
                parameter.data += 0.3 * torch.randn_like(parameter)
    return backbone.eval()


def run(backbone: AttentionBackbone, inputs: Inputs) -> Hidden:
    with torch.no_grad():
        found: Hidden = backbone(inputs, Feedback(no_feedback))
    return found


@pytest.mark.parametrize("perturb", [False, True])
@pytest.mark.parametrize(("layers", "patch"), [(0, None), (1, 4), (2, 3), (1, 20), (1, 1)])
def test_weights_sum_to_one(perturb: bool, layers: int, patch: int | None) -> None:
    found = run(build(perturb=perturb, encoder_layers=layers, patch=patch), make_inputs(SHAPE))
    weights = found.traces["attention"]
    assert weights.shape == (4, 2, 3, 10)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(dim=3), torch.ones(4, 2, 3))
    assert found.features.shape == (4, 3, 8)
    assert found.base.shape == (4, 3, 2)
    assert torch.isfinite(found.features).all()


@pytest.mark.parametrize(("level", "channels"), STARTS)
@pytest.mark.parametrize("heads", [1, 4])
def test_begins_at_the_closed_form(level: str, channels: str, heads: int) -> None:
    start, inputs = make_start(SHAPE, level=level, channels=channels), make_inputs(SHAPE)
    by_hand = frame_by_hand(start, inputs, SHAPE)
    backbone = build(level=level, channels=channels, heads=heads)
    found = run(backbone, inputs)
    np.testing.assert_allclose(found.base.numpy(), by_hand["outside"] + by_hand["linear"], atol=1e-5)
    # The linear map alone no longer gives that: the heads took their part out of it.
    framed = backbone.frame(inputs)
    alone = (framed.outside + framed.linear).detach().numpy()
    moved = np.abs(alone - found.base.numpy()).max()
    assert moved > (1e-3 if not (level == "last" and channels == "none") else 0)


@pytest.mark.parametrize(("level", "channels"), STARTS)
def test_copies_and_map_add_up_to_the_old_map(level: str, channels: str) -> None:
    frame = Frame(make_start(SHAPE, level=level, channels=channels), SHAPE)
    before = frame.weights.detach().clone()
    bias, gain = copy_start(frame, SHAPE, heads=4)
    assert bias.shape == (4, 3, 10)
    assert gain.shape == (4, 3, 2)
    copied = (bias.softmax(dim=2)[..., None] * gain[:, :, None]).sum(dim=0)  # [H, L, D]
    after = frame.weights.detach().clone()
    for d in range(2):
        if channels == "all":
            after[d, :, d] += copied[..., d].T
        elif channels == "own":
            after[d] += copied[..., d].T
    if channels == "shared":
        after[0] += copied[..., 0].T
    torch.testing.assert_close(after, before, atol=1e-6, rtol=0)


def test_heads_begin_different_and_carry_what_the_map_reads() -> None:
    shape = Shape(input_size=12, h=2, targets=1, channels=1)
    start = make_start(shape, level="none", channels="shared", waves=0)
    start.weights[:] = 0.0
    start.weights[0, 9], start.weights[0, 3], start.weights[0, 5] = 0.6, 0.3, -0.4
    frame = Frame(start, shape)
    bias, gain = copy_start(frame, shape, heads=2)
    weights = bias.softmax(dim=2)
    assert not torch.allclose(weights[0], weights[1], atol=0.1)
    total = (weights * gain).sum(dim=0)
    np.testing.assert_allclose(total[:, 9], 0.6, atol=1e-3)
    np.testing.assert_allclose(total[:, 3], 0.3, atol=1e-3)
    np.testing.assert_allclose(total.sum(dim=1), 0.9, atol=2e-3)  # what is negative is not copied
    np.testing.assert_allclose(frame.weights[0, 5].detach(), -0.4, atol=1e-3)
    # The lags are dealt out, the largest first.
    assert weights[0, 0, 9] > 2 * weights[0, 0, 3]
    assert weights[1, 0, 3] > weights[1, 0, 9]


@pytest.mark.parametrize("channels", ["shared", "all"])
def test_no_two_heads_begin_alike_under_one_dominant_lag(channels: str) -> None:
    start = make_start(SHAPE, level="last", channels=channels)
    start.weights[:] *= 0.1  # so that the last value counts for nearly all
    bias, _ = copy_start(Frame(start, SHAPE), SHAPE, heads=4)
    for a, b in itertools.combinations(bias.softmax(dim=2), 2):
        assert ((a - b).abs().amax(dim=1) > 1e-4).all()


def test_the_level_counts_as_attention_to_what_it_was_made_of() -> None:
    shape = Shape(input_size=6, h=2, targets=1, channels=1)
    for level, expected in (("last", [0, 0, 0, 0, 0, 1.0]), ("mean", [1 / 6] * 6)):
        start = make_start(shape, level=level, channels="shared", waves=0)
        start.weights[:] = 0.0
        bias, gain = copy_start(Frame(start, shape), shape, heads=1)
        if level == "mean":  # even weights are all within the noise, so the start stays even
            np.testing.assert_allclose(bias.softmax(dim=2)[0], [expected] * 2, atol=1e-3)
        else:
            np.testing.assert_allclose((bias.softmax(dim=2) * gain)[0], [expected] * 2, atol=2e-3)


def test_gradients_tell_heads_apart() -> None:
    backbone, inputs = build(heads=4), make_inputs(SHAPE)
    backbone.train()
    backbone(inputs, Feedback(no_feedback)).base.square().sum().backward()
    grads = backbone.bias.grad
    assert grads is not None
    for a, b in itertools.combinations(range(4), 2):
        assert not torch.allclose(grads[a], grads[b], rtol=1e-2, atol=0)


def linear(layer: nn.Linear, x: np.ndarray) -> np.ndarray:
    out: np.ndarray = x @ layer.weight.detach().numpy().astype(np.float64).T
    return out if layer.bias is None else out + layer.bias.detach().numpy()


def norm(layer: nn.LayerNorm, x: np.ndarray) -> np.ndarray:
    scaled = (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + layer.eps)
    return scaled * layer.weight.detach().numpy() + layer.bias.detach().numpy()


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max())
    return e / e.sum()


@pytest.mark.parametrize("patch", [4, 5, 1])
def test_equal_to_attention_by_hand(patch: int) -> None:
    backbone, inputs = build(perturb=True, level="mean", patch=patch), make_inputs(SHAPE)
    heads, width, size, h = 2, 4, SHAPE.input_size, SHAPE.h
    n_patches = -(-size // patch)
    pad = n_patches * patch - size
    with torch.no_grad():
        framed = backbone.frame(inputs)
    found = run(backbone, inputs)
    position, horizon = (p.detach().numpy() for p in (backbone.position, backbone.horizon))
    bias, gain = backbone.bias.detach().numpy(), backbone.gain.detach().numpy()
    assert backbone.embed_known is not None
    for b in range(4):
        tokens = np.concatenate([framed.tokens[b].numpy(), inputs.known_past[b].numpy()], axis=1)  # type: ignore[index]
        padded = np.concatenate([np.zeros((pad, 5)), tokens])
        patches = np.stack([
            linear(backbone.embed_patch, padded[p * patch : (p + 1) * patch].reshape(-1)) + position[p]
            for p in range(n_patches)
        ])  # fmt: skip
        patches = norm(backbone.norm_encoded, patches)
        key_value = linear(backbone.key_value, patches)
        for k in range(h):
            given = np.concatenate([inputs.known[b, k].numpy(), inputs.static[b].numpy()])  # type: ignore[index]
            state = horizon[k] + linear(backbone.summary, patches.mean(axis=0)) + linear(backbone.embed_known, given)
            query = linear(backbone.query, norm(backbone.norm_query, state))
            base = (framed.outside + framed.linear)[b, k].numpy().astype(np.float64)
            context = np.zeros(8)
            for m in range(heads):
                own = slice(m * width, (m + 1) * width)
                scores = np.zeros(size)
                for step in range(size):
                    key = linear(backbone.key_step, tokens[step])[own] + key_value[(step + pad) // patch, :8][own]
                    scores[step] = query[own] @ key / np.sqrt(8 / heads) + bias[m, k, step]
                weights = softmax(scores)
                np.testing.assert_allclose(found.traces["attention"][b, m, k], weights, atol=1e-5)
                for step in range(size):
                    base += gain[m, k] * weights[step] * framed.window[b, :2, step].numpy()
                    context[own] += weights[step] * key_value[(step + pad) // patch, 8:][own]
            np.testing.assert_allclose(found.base[b, k], base, atol=1e-4)
            state = state + linear(backbone.out, context)
            inner = linear(backbone.feed[0], norm(backbone.norm_features, state))
            gelu = nn.functional.gelu(torch.from_numpy(inner)).numpy()
            np.testing.assert_allclose(found.features[b, k], state + linear(backbone.feed[3], gelu), atol=1e-4)


def test_encoder_layer_by_hand() -> None:
    with seeded_init(1):
        layer = EncoderLayer(8, 2, 0.5).eval()
        x = torch.randn(1, 5, 8)
    with torch.no_grad():
        got = layer(x)[0].numpy()
    tokens = x[0].numpy().astype(np.float64)
    q, k, v = np.split(linear(layer.qkv, norm(layer.norm_attention, tokens)), 3, axis=1)
    mixed = np.zeros((5, 8))
    for m in range(2):
        own = slice(4 * m, 4 * m + 4)
        for t in range(5):
            mixed[t, own] = softmax(k[:, own] @ q[t, own] / 2.0) @ v[:, own]
    tokens = tokens + linear(layer.out, mixed)
    inner = torch.from_numpy(linear(layer.feed[0], norm(layer.norm_feed, tokens)))
    np.testing.assert_allclose(got, tokens + linear(layer.feed[3], nn.functional.gelu(inner).numpy()), atol=1e-5)


def test_dropout_sleeps_in_eval_mode() -> None:
    backbone, inputs = build(dropout=0.5, encoder_layers=1, perturb=True), make_inputs(SHAPE)
    first, again = run(backbone, inputs), run(backbone, inputs)
    assert torch.equal(first.features, again.features)
    backbone.train()
    assert not torch.equal(run(backbone, inputs).features, run(backbone, inputs).features)
    assert torch.equal(run(backbone.eval(), inputs).features, first.features)


def test_windows_of_a_batch_do_not_mix() -> None:
    backbone, inputs = build(perturb=True, encoder_layers=1), make_inputs(SHAPE)
    whole = run(backbone, inputs)
    for b in range(4):
        pick = slice(b, b + 1)
        alone = Inputs(inputs.past[pick], inputs.step[pick], inputs.entity[pick], 3, inputs.known_past[pick],  # type: ignore[index]
                       inputs.known[pick], inputs.static[pick])  # type: ignore[index]  # fmt: skip
        found = run(backbone, alone)
        torch.testing.assert_close(found.base[0], whole.base[b], atol=1e-5, rtol=0)
        torch.testing.assert_close(found.features[0], whole.features[b], atol=1e-5, rtol=0)


def test_a_query_knows_its_horizon_step_and_its_known_columns() -> None:
    backbone, inputs = build(perturb=True), make_inputs(SHAPE)
    before = run(backbone, inputs).traces["attention"]
    assert not torch.allclose(before[:, :, 0], before[:, :, 1], atol=1e-3)
    known = inputs.known.clone()  # type: ignore[union-attr]
    known[:, 2] += 1.0
    other = Inputs(inputs.past, inputs.step, inputs.entity, 3, inputs.known_past, known, inputs.static)
    after = run(backbone, other).traces["attention"]
    torch.testing.assert_close(after[:, :, :2], before[:, :, :2])
    assert not torch.allclose(after[:, :, 2], before[:, :, 2], atol=1e-3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden": 10, "heads": 4}, r"hidden must be divisible by heads, got hidden=10 and heads=4\. Try hidden=8\."),
        ({"hidden": 0}, "hidden must be divisible"),
        ({"heads": 0}, r"heads=0\. Try hidden=128"),
        ({"encoder_layers": -1}, "got encoder_layers=-1"),
        ({"patch": 0}, "patch=0"),
        ({"dropout": 1.0}, r"a dropout in \[0, 1\); got .*dropout=1\.0"),
    ],
)
def test_bad_settings(settings: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AttentionConfig(**settings)
