"""Benchmarks beside peers, in one interleaved run: `contextframe-monitoring bench NAME`."""
