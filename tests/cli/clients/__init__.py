"""Tests of what edits the configurations of clients."""
