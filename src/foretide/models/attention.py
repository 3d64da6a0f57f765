"""The attention encoder-decoder, whose weights say which past values the forecast copies."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from foretide.models.attending import AttendingBackbone, Look
from foretide.models.config import AttentionConfig
from foretide.models.frame import Frame
from foretide.models.inputs import Hidden, Inputs, Labels, Shape
from foretide.models.lookup import LookUp, read
from foretide.models.lookup_start import evidence, find_clue


class EncoderLayer(nn.Module):
    """Pre-norm self-attention and feed-forward, both residual (Vaswani et al. 2017; Xiong et al. 2020)."""

    def __init__(self, hidden: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norm_attention, self.norm_feed = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.qkv, self.out = nn.Linear(hidden, 3 * hidden), nn.Linear(hidden, hidden)
        self.feed = nn.Sequential(
            nn.Linear(hidden, 2 * hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * hidden, hidden)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens ``[B, P, d]`` -> the same shape."""
        b, p, d = tokens.shape
        bias = keys_at_rest(self.qkv.bias, d, 2 * d)
        qkv = F.linear(self.norm_attention(tokens), self.qkv.weight, bias).view(b, p, 3, self.heads, d // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, dropout_p=self.dropout if self.training else 0.0)
        tokens = tokens + self.out(mixed.transpose(1, 2).reshape(b, p, d))
        out: Tensor = tokens + self.feed(self.norm_feed(tokens))
        return out


class AttentionBackbone(AttendingBackbone):
    """Queries that know their horizon step attend over lags; each head copies the values it attends to.

    Inside the frame, ``forecast = linear + sum over heads of gain x (weights @ past values)``, and the head adds a
    correction from the decoder's features. The weights are ``softmax(q k / sqrt(d/M) + bias)`` with a bias per head,
    horizon step and lag. At the start the queries are zero and the biases hold the positive part of the linear
    map's coefficients on the target's own lags, which the map gives up in exchange: the forecast is the
    closed-form start to rounding, and the weights already mean something.

    Where training windows show a marked place whose value comes back (:meth:`begin`), one more head looks there, free
    of the closed form, and its copy takes the place of the forecast by a gate that begins at zero
    (:class:`foretide.models.lookup.LookUp`).

    Keys and values are made once per pass: a step's own key from its values, and its patch's key and value from an
    encoder of self-attention over patches of the lookback.

    Parameters
    ----------
    frame : Frame
        Its linear map is changed: what attention copies is taken out of it.
    shape : Shape
    config : AttentionConfig
    """

    def __init__(self, frame: Frame, shape: Shape, config: AttentionConfig) -> None:
        super().__init__(frame, shape, config.hidden, config.heads)
        self.config = config
        d, m, size = config.hidden, config.heads, shape.input_size
        self.patch = config.patch or max(1, -(-size // 16))
        n_patches = -(-size // self.patch)
        self.pad = n_patches * self.patch - size
        width = shape.channels + shape.known
        self.embed_patch = nn.Linear(self.patch * width, d)
        self.position = nn.Parameter(torch.randn(n_patches, d) * 0.02)
        self.encoder = nn.ModuleList(EncoderLayer(d, m, config.dropout) for _ in range(config.encoder_layers))
        self.norm_encoded = nn.LayerNorm(d)
        self.key_value = nn.Linear(d, 2 * d)
        self.key_step = nn.Linear(width, d, bias=False)
        self.horizon = nn.Parameter(torch.randn(shape.h, d) * 0.1)
        self.embed_known = nn.Linear(shape.known + shape.static, d) if shape.known + shape.static else None
        self.summary = nn.Linear(d, d)
        self.norm_query, self.norm_features = nn.LayerNorm(d), nn.LayerNorm(d)
        self.query = nn.Linear(d, d)
        nn.init.zeros_(self.query.weight)
        nn.init.zeros_(self.query.bias)
        self.out = nn.Linear(d, d)
        self.feed = nn.Sequential(nn.Linear(d, 2 * d), nn.GELU(), nn.Dropout(config.dropout), nn.Linear(2 * d, d))
        bias, gain = copy_start(frame, shape, m)
        self.bias, self.gain = nn.Parameter(bias), nn.Parameter(gain)
        self.lookup: LookUp | None = None

    @property
    def attention_shape(self) -> tuple[int, int, int]:
        """Sizes of a window's weights; the head that looks something up is the last."""
        heads, h, size = super().attention_shape
        return heads + (self.lookup is not None), h, size

    @torch.no_grad()
    def begin(self, inputs: Inputs, labels: Labels) -> None:
        """Add a head that looks something up if these windows ask for one, pointed at what it should look for."""
        if not self.config.lookup:
            return
        framed = self.frame(inputs)
        copies = (self.bias.softmax(dim=2)[..., None] * self.gain[:, :, None]).sum(dim=0)
        linear = framed.linear + torch.einsum("hld,bdl->bhd", copies, framed.window[:, : self.shape.targets])
        linear = self.frame.corrected(framed, linear)
        clue = find_clue(evidence(read(framed, inputs, self.shape.targets), framed, linear, inputs, labels))
        if clue is not None:
            self._add_lookup().follow(clue)

    def settle(self) -> None:
        """Drop the head that looks something up where its gate never opened."""
        if self.lookup is not None and not any(bool(p.any()) for p in self.lookup.gate.parameters()):
            self.lookup = None

    def begun(self) -> dict[str, bool]:
        """Whether a head that looks something up was added."""
        return {"lookup": self.lookup is not None}

    def begin_again(self, begun: Mapping[str, bool]) -> None:
        """Add the same head, for a state dict to fill."""
        if begun.get("lookup"):
            self._add_lookup()

    def _add_lookup(self) -> LookUp:
        self.lookup = LookUp(self.shape, self.config.hidden).to(self.device)
        return self.lookup

    def look(self, inputs: Inputs) -> Look:
        """Return states of the horizon steps, and scores of all lags; half of :meth:`forward`."""
        framed = self.frame(inputs)
        tokens = framed.tokens
        if inputs.known_past is not None:
            tokens = torch.cat([tokens, inputs.known_past], dim=2)
        keys, values, encoded = self._encode(tokens)
        state = self.horizon + self.summary(encoded.mean(dim=1))[:, None]
        if self.embed_known is not None:
            state = state + self.embed_known(self._known(inputs))
        asked = self.norm_query(state)
        scores = self._scores(self._split(self.query(asked)), tokens, keys) + self.bias
        if self.lookup is not None:
            scores = torch.cat([scores, self.lookup.scores(asked, read(framed, inputs, self.shape.targets))], dim=1)
        return Look(framed, state, values, scores)

    def decode(self, seen: Look, weights: Tensor) -> Hidden:
        """Forecast by weights ``[B, M, H, L]``; all horizon steps at once, so nothing is fed back."""
        framed = seen.framed
        lags = weights[:, : self.config.heads]
        copied = lags @ framed.window[:, None, : self.shape.targets].transpose(2, 3)
        inside = self.frame.corrected(framed, framed.linear + (copied * self.gain).sum(dim=1))
        if self.lookup is not None:
            inside = inside + self.lookup.change(self.norm_query(seen.state), weights[:, -1], framed.window, inside)
        context = (self._by_patch(lags) @ seen.values).transpose(1, 2).flatten(2)
        state = seen.state + self.out(context)
        features = state + self.feed(self.norm_features(state))
        return Hidden(features, framed.outside + inside, framed.scale, {"attention": weights})

    def _encode(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Keys and values per patch, ``[B, M, P, d/M]``, and encoded patches ``[B, P, d]``."""
        padded = F.pad(tokens, (0, 0, self.pad, 0))
        patches = self.embed_patch(padded.reshape(padded.shape[0], -1, self.patch * padded.shape[2])) + self.position
        for layer in self.encoder:
            patches = layer(patches)
        patches = self.norm_encoded(patches)
        bias = keys_at_rest(self.key_value.bias, 0, self.config.hidden)
        key, value = F.linear(patches, self.key_value.weight, bias).chunk(2, dim=-1)
        return self._split(key), self._split(value), patches

    def _scores(self, query: Tensor, tokens: Tensor, keys: Tensor) -> Tensor:
        """``q k / sqrt(d/M)`` with ``k = W token + its patch's key``, ``[B, M, H, L]``.

        ``q (W x)`` is taken as ``(q W) x``: the step keys ``[B, M, L, d/M]`` are never made, only their products.
        """
        m, width = self.config.heads, self.config.hidden // self.config.heads
        to_token = self.key_step.weight.view(m, width, -1)
        by_step = (query @ to_token) @ tokens[:, None].transpose(2, 3)
        by_patch = (query @ keys.transpose(2, 3)).repeat_interleave(self.patch, dim=3)[..., self.pad :]
        scores: Tensor = (by_step + by_patch) * width**-0.5
        return scores

    def _known(self, inputs: Inputs) -> Tensor:
        parts = [] if inputs.known is None else [inputs.known]
        if inputs.static is not None:
            parts.append(inputs.static[:, None].expand(-1, self.shape.h, -1))
        return torch.cat(parts, dim=2)

    def _by_patch(self, weights: Tensor) -> Tensor:
        """Mass of the weights in each patch, ``[B, M, H, P]``."""
        b, m, h, _ = weights.shape
        return F.pad(weights, (self.pad, 0)).view(b, m, h, -1, self.patch).sum(dim=4)


def keys_at_rest(bias: Tensor, low: int, high: int) -> Tensor:
    """Return a bias without a gradient in the part that is the keys'.

    It adds the same to all scores of a query, and the softmax cancels that: its gradient is rounding, which Adam would
    make steps of.
    """
    return torch.cat([bias[:low], bias[low:high].detach(), bias[high:]])


def copy_start(frame: Frame, shape: Shape, heads: int) -> tuple[Tensor, Tensor]:
    """Hand the positive own-lag part of a frame's linear map over to attention.

    Parameters
    ----------
    frame : Frame
        ``frame.weights`` is lowered in place by what the heads copy, so that the sum is unchanged.
    shape : Shape
    heads : int

    Returns
    -------
    bias : ``[M, H, L]``
        Logarithms of the heads' first weights.
    gain : ``[M, H, D]``
        What a head's copy counts.

    Notes
    -----
    With several targets the profile is their mean, because all share one set of weights. Heads must differ or they
    stay alike: each copies its share of one half of the profile, and all of the other half at lags of its own. The
    lags are dealt out in turn, the largest first, so that no head goes without (one lag may outweigh all others).
    """
    if frame.channels == "none":
        own = frame.weights.new_zeros(1, shape.input_size, shape.h)
    else:
        own = _own_block(frame.weights.detach()) if frame.channels == "all" else frame.weights.detach()
    shared = _with_level(own.mean(dim=0).T, frame.level)
    profile = shared.clamp(min=0.0)
    total = profile.sum(dim=1, keepdim=True)
    floor = torch.full_like(profile, 1e-3 / shape.input_size) * total.clamp(min=1e-2)
    profile = profile + floor
    order = profile.argsort(dim=1, descending=True, stable=True)
    turn = torch.arange(shape.input_size, device=order.device).remainder(heads).expand_as(order)
    owner = torch.empty_like(order).scatter_(1, order, turn)
    inside = F.one_hot(owner, heads).permute(2, 0, 1).to(profile.dtype)
    parts = profile * (0.5 / heads + 0.5 * inside)
    gain = parts.sum(dim=2)
    bias = (parts / gain[..., None]).log()
    with torch.no_grad():
        copied = profile.T
        if frame.channels == "all":
            for d in range(shape.targets):
                frame.weights[d, :, d].sub_(copied)
        elif frame.channels != "none":
            frame.weights.sub_(copied)
    return bias, gain[..., None].expand(-1, -1, shape.targets).clone()


def _with_level(weights: Tensor, level: str) -> Tensor:
    """Coefficients ``[H, L]`` on a window less its level -> coefficients on the window itself.

    The level that is given back is made of past values too: the last one, or all alike. Inside the frame those
    weights multiply zeros (the last value less itself, the mean of what the mean was taken off), so attention
    that carries them reads true and changes no forecast.
    """
    rest = 1.0 - weights.sum(dim=1, keepdim=True)
    if level == "last":
        return torch.cat([weights[:, :-1], rest], dim=1)
    return weights + rest / weights.shape[1] if level == "mean" else weights


def _own_block(weights: Tensor) -> Tensor:
    """Weights ``[C, L, D, H]`` -> each target's on its own lags, ``[D, L, H]``."""
    index = np.arange(weights.shape[2])
    return weights[index, :, index]
