"""Decisions: pure functions of the model. No I/O, no clock, no randomness."""
