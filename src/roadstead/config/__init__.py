"""The configuration: the table of its keys, where it comes from, what it may not say."""
