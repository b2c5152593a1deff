#!/bin/sh
# Becomes a host's systemd-nspawn: machine.sh NAME STATE ROOT CGROUP [NSPAWN-OPTION...].
# `contrib/host` runs it in a mount namespace of its own: every mount ends with the host.
set -eu
name=$1 state=$2 root=$3 cgroup=$4
shift 4
echo $$ >"$cgroup/cgroup.procs"
# shellcheck source-path=SCRIPTDIR source=cgroup2.sh
. "$(dirname "$(readlink -f "$0")")/cgroup2.sh"
mount -t overlay overlay "$state/root" \
    -o "volatile,lowerdir=$root,upperdir=$state/upper,workdir=$state/work"
exec systemd-nspawn --register=no --keep-unit --settings=no --notify-ready=yes \
    --machine="$name" --hostname="$name" --directory="$state/root" \
    --private-network --resolv-conf=off --timezone=off --link-journal=no \
    --capability=all --system-call-filter="add_key keyctl bpf" \
    --bind="$state/home:/home" --bind="$state/srv:/srv" "$@" --boot
