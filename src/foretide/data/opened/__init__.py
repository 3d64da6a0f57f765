"""Tables larger than the memory: Parquet files, turned once into columns that are mapped into memory."""
