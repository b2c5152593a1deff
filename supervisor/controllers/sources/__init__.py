"""Reading sources, hearing webhooks, telling Git hosts: keys `source:`, `webhooks`, `status:`."""
