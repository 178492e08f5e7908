"""Judgement after: what fired is told to whom it concerns."""
