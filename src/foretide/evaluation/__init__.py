"""Metrics and scores: knows only panels and forecasts."""
