"""The command line."""

from foretide.cli.app import main

__all__ = ["main"]
