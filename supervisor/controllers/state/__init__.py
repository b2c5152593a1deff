"""What controllers share: the status board, overrides by people, memories in the ledger."""
