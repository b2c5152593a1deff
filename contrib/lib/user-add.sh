# shellcheck shell=sh
# Runs in a host: user-add.sh USER makes a lingering user, whose manager is there when it ends.

# A user id is never given twice: logind and the journal remember who had it.
next=/var/lib/podvisor-host-next-uid
uid=$(cat $next 2>/dev/null || echo 1000)
echo $((uid + 1)) >$next
useradd --create-home --shell /bin/bash --uid "$uid" "$1"
loginctl enable-linger "$1"
systemctl start "user@$uid.service"
