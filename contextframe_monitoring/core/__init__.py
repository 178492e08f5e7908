"""Nouns and arithmetic: pure, no I/O, no clock reads."""
