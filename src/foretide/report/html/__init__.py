"""One self-contained HTML page for a run or a backtest: charts by plotly.js, pickers in plain JavaScript."""

from foretide.report.html.content import AttentionWeights, Content, Explained
from foretide.report.html.page import sections_of, write_page
from foretide.report.html.static import FORMATS, write_figures

__all__ = ["FORMATS", "AttentionWeights", "Content", "Explained", "sections_of", "write_figures", "write_page"]
