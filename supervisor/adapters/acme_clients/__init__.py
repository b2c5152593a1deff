"""What other ACME clients left (certbot, lego, Caddy, PEM files), read in a process of its own."""
