"""Make ``sales.csv``: daily sales of five made-up shops, with promotions known two weeks ahead.

Run: ``python examples/sales.py``. The seed is fixed, so that the file is always the same.
"""

from pathlib import Path

import numpy as np
import pandas as pd

SHOPS = {101: 42.0, 102: 18.0, 103: 9.0, 104: 75.0, 105: 3.0}
"""Number of the shop -> sales on a usual day."""
DAYS, AHEAD = 500, 14
WEEK = np.array([0.9, 0.85, 0.9, 1.0, 1.3, 1.6, 0.45])


def sales(seed: int = 7) -> pd.DataFrame:
    """Return ``date, shop, sales, promo``; sales of the last 14 days are still to come."""
    draw = np.random.default_rng(seed)
    dates = pd.date_range("2024-08-01", periods=DAYS + AHEAD, freq="D")
    parts = []
    for shop, usual in SHOPS.items():
        promo = np.repeat(draw.random(-(-len(dates) // 7)) < 0.2, 7)[: len(dates)]
        season = 1 + 0.25 * np.cos(2 * np.pi * (dates.dayofyear.to_numpy() - 350) / 365)
        drift = np.exp(np.cumsum(draw.normal(0, 0.012, len(dates))))
        mean = usual * WEEK[dates.dayofweek] * season * drift * np.where(promo, 1.5, 1.0)
        counts = draw.poisson(draw.gamma(12.0, mean / 12.0)).astype(float)
        counts[DAYS:] = np.nan
        parts.append(pd.DataFrame({"date": dates, "shop": shop, "sales": counts, "promo": promo.astype(int)}))
    return pd.concat(parts).astype({"sales": "Int64"})


if __name__ == "__main__":
    sales().to_csv(Path(__file__).with_name("sales.csv"), index=False)
