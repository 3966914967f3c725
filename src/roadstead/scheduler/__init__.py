"""Which pool a new share goes to: pure functions over what the agents reported."""
