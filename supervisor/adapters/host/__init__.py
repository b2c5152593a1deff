"""The machine under podvisor: prerequisites, suspends, networks, probes, counters."""
