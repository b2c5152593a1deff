"""The plan: from deployments and what is observed to steps. `planner` begins it."""
