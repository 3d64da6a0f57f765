"""The plain recipe's head of ultra-sparse counts: everything from the features, nothing from a base."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from foretide.heads.base import Head, HeadShape, SeriesInfo, known_series
from foretide.heads.count_heads import LOGITS, SMALLEST_MEAN
from foretide.heads.counts import Counted, ZeroInflatedNegativeBinomial
from foretide.heads.linear import apply_linear, make_linear

SMALLEST_THETA = 1e-6


class PlainZeroInflatedHead(Head):
    """Zero probability, mean and dispersion of counts, all by a small network of the features; begins at random.

    Parameters
    ----------
    shape : HeadShape
    widths : sequence of int
        Hidden widths; none: a linear layer.

    Notes
    -----
    ``pi = sigmoid(a)``, ``mu = unit softplus(b)``, ``theta = softplus(c)``, for the network's outputs ``a, b, c``. The
    point forecast is the mean of the mixture, ``(1 - pi) mu``.
    """

    has_distribution, counts, needs_series, bounded, corrects = True, True, True, False, False

    def __init__(self, shape: HeadShape, widths: Sequence[int] = ()) -> None:
        super().__init__(shape)
        self.linear = make_linear(shape, 3 * shape.targets, widths)

    def forward(self, features: Tensor, base: Tensor, scale: Tensor, series: SeriesInfo | None = None) -> Counted:
        """Return the distribution for features ``[B, H, K]``; base and scale are not used."""
        unit = known_series(series).unit
        along = unit[:, None] if features.ndim == 3 else unit
        logit, mean, theta = apply_linear(self.linear, features, series).chunk(3, dim=-1)
        mu = (along * F.softplus(mean)).clamp(min=SMALLEST_MEAN)
        pi = logit.clamp(*LOGITS).sigmoid()
        return Counted(ZeroInflatedNegativeBinomial(pi, mu, F.softplus(theta) + SMALLEST_THETA), along)
