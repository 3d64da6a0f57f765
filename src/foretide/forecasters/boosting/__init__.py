"""Gradient-boosted trees over all series."""
