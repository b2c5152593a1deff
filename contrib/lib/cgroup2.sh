# shellcheck shell=sh
# Sourced in a private mount namespace: gives systemd-nspawn what it expects of the machine,
# a pure cgroup2 tree (the machine's may be hybrid) and a folder for its traces in /run.
if ! stat --file-system --format=%T /sys/fs/cgroup | grep -q cgroup2; then
    umount -R /sys/fs/cgroup 2>/dev/null || umount -R -l /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
mkdir -p /run/systemd/nspawn
mount -t tmpfs -o mode=755 tmpfs /run/systemd/nspawn
