"""The machine under podvisor: what must be there before anything can work."""
