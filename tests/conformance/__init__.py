"""One suite per Protocol of `roadstead.drivers.base`, run on every driver that implements it."""
