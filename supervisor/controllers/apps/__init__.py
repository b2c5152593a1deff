"""Bringing apps to their desired state: keys `app:`, `image:`, `health` and `probes`."""
