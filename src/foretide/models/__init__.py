"""Windows in, hidden features out; and the closed-form start all networks share."""
