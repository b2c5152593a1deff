#!/bin/sh
# Builds the root of a disposable host: build.sh SUITE ROOT MIRROR KEYRING PACKAGES.
# `contrib/host` runs it in PID and mount namespaces of its own, which end with it.
set -eu
suite=$1 root=$2 mirror=$3 keyring=$4 packages=$5
here=$(dirname "$(readlink -f "$0")")
umask 022

set --
if [ "$suite" = forky ]; then
    # A mirror's snapshot of a suite in development can be past its date.
    set -- --aptopt='Acquire::Check-Valid-Until "false"'
fi
mmdebstrap --quiet --variant=minbase --keyring="$keyring" --include="$packages" "$@" \
    --aptopt='Acquire::Languages "none"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    "$suite" "$root" "$mirror"

cp -rT --no-preserve=mode "$here/root" "$root"
# shellcheck source-path=SCRIPTDIR source=../cgroup2.sh
. "$here/../cgroup2.sh"
systemd-nspawn --quiet --register=no --keep-unit --settings=no --capability=all \
    --private-network --resolv-conf=off --timezone=off --link-journal=no \
    --bind-ro="$here:/mnt" --directory="$root" /bin/sh /mnt/setup.sh
