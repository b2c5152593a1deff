"""One file for each Git host, with all that is known of it; `registry` lists them."""
