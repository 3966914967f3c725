"""Export drivers: how the bytes are served."""
