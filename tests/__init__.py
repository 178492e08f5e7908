"""The tests: `tests/<room>/test_<module>.py`, and what they share."""
