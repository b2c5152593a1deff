"""The nouns: frozen values that every floor above may hold. No I/O, no clock."""
