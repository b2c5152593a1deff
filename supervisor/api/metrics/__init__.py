"""What Prometheus is told, in its text format: of what the daemon answers to `GET /v1/metrics`.

Names and units follow https://prometheus.io/docs/practices/naming/. A label's values are names of
what the sources, the settings and podvisor itself have, never what strangers send; so there are as
many series as there are such things. Only who asks for metrics loads this, and prometheus-client.
"""

from supervisor.api.metrics.exposition import exposition, families

__all__ = ["exposition", "families"]
