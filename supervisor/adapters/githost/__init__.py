"""Git hosts' APIs, as far as podvisor speaks to them."""
