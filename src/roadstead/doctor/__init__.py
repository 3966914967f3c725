"""`roadstead doctor`: what each road needs, and whether this machine has it."""
