"""The command `roadstead`: what a person types, and is told."""
