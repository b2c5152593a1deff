"""OIDC: the keys of an issuer, and signatures by them."""
