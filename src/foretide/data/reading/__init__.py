"""From a table to a panel: roles, columns, problems."""
