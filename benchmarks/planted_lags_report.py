"""Does the summary of attention name planted lags, say so when there are none, and know when not to be believed?

Lags {24, 48}, {12, 36}, {7, 14} and none, horizon no longer than the shortest of them, ten seeds each; the first case
with twice as many, for the test. ``recovered``: the largest mean weights by distance to the forecast step are the
planted lags. ``said``: the text names exactly them, or says "No clear pattern". ``trained`` is the verdict of the
faithfulness test on the model as it is; ``uniform`` on even attention; ``shuffled`` on the trained scores with the
lags permuted once per head and horizon step (the model forecasts by them); ``relabelled``: the forecast is the
trained model's, only the explanation is permuted.
"""

from __future__ import annotations

import re
import time

import numpy as np
import torch
from common import arguments, save

import foretide as ft
from foretide.data.splits import split
from foretide.explain.weights.faithfulness import Faithfulness, faithfulness_of

CASES = (((24, 48), 10, 60), ((24, 48), 24, 72), ((12, 36), 12, 60), ((7, 14), 7, 60), ((), 10, 60))


def verdicts(lens, seed: int) -> dict[str, Faithfulness]:
    """The test on a model, and on three that it must not believe."""
    order = torch.rand(lens.backbone.bias.shape, generator=torch.Generator().manual_seed(seed)).argsort(dim=-1)

    def permuted(scores: torch.Tensor) -> torch.Tensor:
        return scores.gather(-1, order.expand(scores.shape))

    return {
        "uniform": faithfulness_of(lens, seed=seed, scores=torch.zeros_like),
        "shuffled": faithfulness_of(lens, seed=seed, scores=permuted),
        "relabelled": faithfulness_of(lens, seed=seed, ranked_by=permuted),
    }


def said(text: str, lags: tuple[int, ...]) -> bool:
    """Whether the text names exactly the planted lags."""
    if not lags:
        return "No clear pattern" in text
    found = re.search(r"Most weight lies ([\d, and]+) hours before", text)
    return found is not None and {int(n) for n in re.findall(r"\d+", found[1])} == set(lags)


def main() -> None:
    """Run all cases and seeds."""
    chosen = arguments(__doc__, seeds={"type": int, "nargs": "+", "default": list(range(10))})
    rows = []
    for lags, h, lookback in CASES:
        extra = [seed + 10 for seed in chosen.seeds] if (lags, h, lookback) == CASES[0] else []
        for seed in [*chosen.seeds, *extra]:
            made = ft.synthetic.planted_lags(T=2000, lags=lags, weights=(0.6, 0.3)[: len(lags)], seed=seed)
            parts = split(made.panel)
            model = ft.Attention(h, input_size=lookback, seed=seed)
            model.fit(made.panel, until=parts.val_until, train_until=parts.train_until)
            summary = ft.explain.attention(model, made.panel)
            start = time.perf_counter()
            trained = summary.faithfulness()
            seconds = time.perf_counter() - start
            top = summary.top_lags(4, by="distance")
            row = {
                "lags": " ".join(map(str, lags)) or "none", "h": h, "lookback": lookback, "seed": seed,
                "recovered": set(top["distance"][: len(lags)]) == set(lags) if lags else np.nan,
                "said": said(summary.text(), lags),
                "times_even": " ".join(f"{x:.1f}" for x in top["times_even"]),
                "trained": trained.verdict, "difference": trained.difference, "test_seconds": seconds,
            }  # fmt: skip
            for name, found in verdicts(summary.lens, seed).items():
                row |= {
                    name: found.verdict,
                    f"{name}_difference": found.difference,
                    f"{name}_p": found.p_value,
                    f"{name}_p_masking": found.p_masking,
                }
            rows.append(row)
            print(row, flush=True)
    frame = save("planted_lags_report", rows, chosen.threads)
    for case, part in frame.groupby(["lags", "h"]):
        print(case, part["recovered"].sum(), part["said"].sum(), "of", len(part))
    for name in ("trained", "uniform", "shuffled", "relabelled"):
        print(name, frame.groupby(["lags", "h"])[name].value_counts().to_dict())


if __name__ == "__main__":
    main()
