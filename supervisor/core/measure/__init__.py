"""What podvisor and health checks cost, from readings: for `bench` and `doctor`."""
