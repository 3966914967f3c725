"""The lab: real Linux guests, network segments and a raw NFSv4 client for the tests."""
