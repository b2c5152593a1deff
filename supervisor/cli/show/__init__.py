"""Writing for people: the screen, and what is drawn on it."""
