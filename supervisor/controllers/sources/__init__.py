"""Sources, webhooks, commit statuses: keys `source:`, `webhooks`, `commit-status:`."""
