"""Which version of an image an app should run: policies, times, choice."""
