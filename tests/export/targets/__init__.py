"""Tests of the exporters that send to targets."""
