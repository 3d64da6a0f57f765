"""Joint futures: paths whose steps and series hang together as past errors did."""
