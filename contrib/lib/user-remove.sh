# shellcheck shell=sh
# Runs in a host: user-remove.sh USER ends all that the user runs and removes all that it has.

if uid=$(id -u "$1" 2>/dev/null); then
    loginctl disable-linger "$1" || true
    systemctl kill --signal=KILL "user-$uid.slice" 2>/dev/null || true
    systemctl stop "user@$uid.service" "user-runtime-dir@$uid.service" || true
    systemctl reset-failed "user@$uid.service" 2>/dev/null || true
    userdel --force "$1"
fi
rm -rf "/home/${1:?}"
