"""Searching for settings, scored by inner backtests only: :func:`foretide.tune`."""
