"""The agent: the one process that touches the world on its host."""
