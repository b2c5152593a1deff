"""From what sources hold to apps: their folders, overlays, conflicts, order, moved units."""
