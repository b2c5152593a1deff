#!/bin/sh
# Runs once inside a new root, before its first boot: silence, servers and test images.
set -eu

: >/etc/machine-id
rm -f /etc/hostname
printf '127.0.0.1 localhost\n::1 ip6-localhost\n' >/etc/hosts

# Timers and services that only cost time at boot or wake an idle host.
for unit in apt-daily.timer apt-daily-upgrade.timer certbot.timer dpkg-db-backup.timer e2scrub_all.timer \
    fstrim.timer lighttpd-maint.timer logrotate.timer systemd-tmpfiles-clean.timer \
    console-getty.service getty.target e2scrub_reap.service systemd-modules-load.service \
    systemd-pstore.service \
    netavark-dhcp-proxy.service netavark-dhcp-proxy.socket netavark-firewalld-reload.service \
    podman-auto-update.timer podman-auto-update.service podman-restart.service \
    podman.service podman.socket podman-clean-transient.service \
    docker-registry.service caddy.service nginx.service knot.service prometheus.service \
    systemd-networkd-wait-online.service
do
    ln -sf /dev/null "/etc/systemd/system/$unit"
done
systemctl --quiet enable lan.service lighttpd.service run-proc.mount
# Without it the first start of every rootless Quadlet unit waits 90 s for the network.
systemctl --quiet add-wants multi-user.target network-online.target

if command -v podman >/dev/null; then
    systemctl --quiet enable registry@5000.service registry@5001.service

    store="--root /var/lib/podvisor-host/images --runroot /run/images --storage-driver overlay"
    context=/tmp/image
    mkdir -p $context/bin
    cp -r /mnt/image/. $context
    cp /bin/busybox $context/bin/busybox
    for applet in $(busybox --list); do
        [ "$applet" = busybox ] || ln -s busybox "$context/bin/$applet"
    done
    chmod 755 $context/init

    mkdir -p /var/lib/docker-registry
    runuser -u docker-registry -- docker-registry serve /etc/docker/registry/5000.yml &
    registry=$!
    until curl --silent --fail --output /dev/null http://localhost:5000/v2/; do sleep 0.1; done
    for tag in 1 2 crash sick; do
        mkdir "$context/srv"
        echo "podvisor-test $tag" >"$context/srv/index.html"
        case $tag in crash | sick) stage=$tag ;; *) stage=web ;; esac
        # The registry's images differ from the local ones, so that a pull has to fetch them.
        for name in localhost/podvisor-test localhost:5000/podvisor-test; do
            echo "$name" >"$context/srv/name"
            # shellcheck disable=SC2086
            podman $store build --quiet --layers=false --format=docker --target=$stage \
                --build-arg="TAG=$tag" --tag="$name:$tag" $context
        done
        rm -r "$context/srv"
        # shellcheck disable=SC2086
        podman $store push --quiet "localhost:5000/podvisor-test:$tag"
        # shellcheck disable=SC2086
        podman $store rmi "localhost:5000/podvisor-test:$tag"
    done
    kill "$registry"
    wait "$registry" || true
    # Every user reads this store through additionalimagestores.
    chmod -R a+rX /var/lib/podvisor-host
    rm -rf $context /run/images
fi

# Says "already done" to the services that start when /usr is newer than /etc and /var.
touch /etc/.updated /var/.updated
