"""The owned folder below the Quadlet search path, and the watches on it and on source folders."""
