"""Intervals that every model has: its own, or those of its past errors."""
