"""What is done next with a certificate, and when: renewals, limits, what people are told."""
