"""Sections of the page of a run or a backtest."""
