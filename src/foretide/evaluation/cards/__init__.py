"""Scorecards: forecasts beside the truth, and everything that is read off them."""
