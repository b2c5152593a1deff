"""The page: a process of its own, which systemd starts when somebody looks, and which ends."""
