"""What each port promises, asked of its fake and of its real adapter alike.

The real ones run here against what a test can have without a host: folders, Git, age, and servers
of our own for systemd's bus and Podman's API. tests/host/contracts holds the adapters to the real
systemd and Podman.
"""
