"""``python -m foretide`` is the command line."""

from foretide.cli import main

main()
