"""What controllers share: the status board, suspensions, memories in the ledger."""
