"""Forecasters around forecasters: blends, intervals, one model per entity."""
