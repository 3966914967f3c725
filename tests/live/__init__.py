"""A whole Roadstead for tests, the demo and the benchmarks: `roadstead up`, real processes."""
