"""Certificates: had from issuers, installed for those who use them, renewed, and looked at."""
