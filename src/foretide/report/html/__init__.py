"""One self-contained HTML page for a run or a backtest: charts by plotly.js, pickers in plain JavaScript."""

from foretide.report.html.content import AttentionWeights, Content
from foretide.report.html.page import write_page

__all__ = ["AttentionWeights", "Content", "write_page"]
