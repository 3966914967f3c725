"""Pool drivers: where the bytes live."""
