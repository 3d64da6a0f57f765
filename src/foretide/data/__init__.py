"""From a frame to a panel, from a panel to windows."""
