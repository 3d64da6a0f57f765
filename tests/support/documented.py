"""Tables of the documentation, as the tables in the code give them."""

from __future__ import annotations

from foretide.evaluation.metrics.table import METRICS, example, metric_of


def metric_rows() -> list[str]:
    """The lines of the table in docs/metrics.md."""
    better = {"lower": "lower", "higher": "higher"}
    units = {"target": "of the target", "target squared": "squared", "%": "percent", "share": "share", "": "none"}
    pooled = {
        "points": "over all points together",
        "series": "mean of the series' values",
        "size": "over all points together",
    }
    lines = []
    for metric in METRICS.values():
        shown = metric_of(example(metric))
        best = better.get(shown.better, f"nearest to {'its level' if shown.family else '0'}")
        lines.append(f"| `{shown.name}` | {shown.meaning} | {best} | {units[shown.unit]} | {pooled[shown.pooled]} |")
    return lines
