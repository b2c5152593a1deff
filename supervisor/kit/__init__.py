"""Helpers that know nothing of containers: time, queue, processes, texts."""
