"""Tests of `export.metrics`."""
