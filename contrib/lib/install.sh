# shellcheck shell=sh
# Runs in a host: install.sh WHEEL EXTRAS WHEELHOUSE PIP, with the needed wheels beside WHEEL.
wheel=$1 extras=$2 wheelhouse=$3 pip=$4

install() {
    /opt/podvisor/bin/python "$pip" --disable-pip-version-check install --quiet \
        --root-user-action=ignore --no-index "$@"
}

if [ "$(cat /opt/podvisor/wheelhouse 2>/dev/null)" = "$wheelhouse" ]; then
    install --no-deps --force-reinstall "$wheel"
else
    rm -rf /opt/podvisor
    python3 -m venv --without-pip /opt/podvisor
    install --find-links="$(dirname "$wheel")" "$wheel$extras"
    ln -sf /opt/podvisor/bin/podvisor /usr/local/bin/podvisor
    echo "$wheelhouse" >/opt/podvisor/wheelhouse
fi

# Each scenario has a user of its own, whose first start would compile all anew: they share this.
shared=/var/cache/podvisor-python
PYTHONOPTIMIZE=2 PYTHONPYCACHEPREFIX=$shared /opt/podvisor/bin/python -X no_debug_ranges -c '
from supervisor.cli.fast.run_daemon import LOADED
from supervisor.cli.local.bytecode_compiler import compile_all
compile_all(*LOADED)'
mkdir -p /etc/systemd/user/podvisor.service.d
printf '[Service]\nEnvironment=PYTHONPYCACHEPREFIX=%s\n' "$shared" \
    >/etc/systemd/user/podvisor.service.d/shared-bytecode.conf
