"""Certificates by ACME (RFC 8555): what talks with issuers, and answers their challenges.

`issuer` is the daemon's part, with `places` and `renewal`; all others run in a process that ends.
"""
