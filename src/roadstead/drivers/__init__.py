"""The only code that touches the world. Drivers know `model` and nothing else of ours."""
