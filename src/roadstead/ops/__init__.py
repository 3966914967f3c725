"""Operations: recipes of idempotent steps, their journal, and the sweep that finishes and
compares."""
