"""What Git hosts send and are told: webhooks of every sender, tokens, commit statuses."""
