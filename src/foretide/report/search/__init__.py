"""Sections of the page of a search."""
