"""The event-driven shell: watches name keys, the loop hands each key to its controller."""
