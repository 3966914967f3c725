"""`roadstead up`: what must be true first, and the processes that run from then on."""
