"""What `podvisor doctor` looks at on this machine: a small function for each check.

Each takes a `Host` and returns one `Answer`, several, or none where there is nothing to see;
`table` has them all, and looks at them together.
"""
