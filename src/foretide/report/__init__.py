"""Pictures and words about a run; needs no torch and no global plotting state."""
