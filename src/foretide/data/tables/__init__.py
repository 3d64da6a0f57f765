"""From a file to a table of columns: bytes, encoding, separator, cells, numbers."""
