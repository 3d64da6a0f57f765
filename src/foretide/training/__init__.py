"""Network = backbone + head; one objective, one loop."""
