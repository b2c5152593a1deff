"""The text of podvisor's own user service, as `setup` writes it."""

_RESTART_STEPS_SINCE = 254

_TEXT = """\
# Written by `podvisor setup`; `podvisor setup` again renews it, `podvisor setup --undo` removes it.
# Changes of your own are safe in a drop-in: systemctl --user edit podvisor.service

[Unit]
Description=podvisor, keeps rootless containers as their sources describe them
# Stopping goes the other way round: when the session ends, it ends before the bus does.
After=dbus.socket dbus.service podman.socket
Wants=podman.socket
# It may fail for as long as a disk is full or a bus is gone; RestartSec= keeps that slow.
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={command} run
# Fails, and says why, where the settings are refused; the daemon goes on with the old ones.
ExecReload={command} reload
# Without docstrings and annotations Python takes less memory. No installer compiles it so: the
# first start does, and keeps it in this folder, which may be deleted. What was needed for a pass
# only goes back to the kernel (mallopt(3)). Children do not get these.
Environment=PYTHONOPTIMIZE=2 "PYTHONPYCACHEPREFIX=%C/podvisor/python"
Environment=MALLOC_MMAP_THRESHOLD_=65536 MALLOC_TRIM_THRESHOLD_=65536
# Ready is said after the first pass; the daemon asks for more time while images are pulled.
TimeoutStartSec=15min
TimeoutStopSec=10s
# Its own children (git, the generator) get SIGTERM from it, and SIGKILL from systemd after that.
KillMode=mixed
# A sign of life at least every 7.5 min, and usually at a poll, which wakes the daemon anyway.
WatchdogSec=10min
# Short waits need not be exact to the microsecond; the long ones are rounded by the daemon itself.
TimerSlackNSec=5ms
Restart=on-failure
{restart}
# 78: the settings (or a newer ledger) are refused; only a person can mend that.
RestartPreventExitStatus=78
# Its share of the CPU does not shrink with the number of containers, which are in app.slice.
Slice=session.slice
# Killed after the containers' processes (200) when memory runs out.
OOMScoreAdjust=100
UMask=0077

# What a user's systemd can do without a user namespace. In one, git's ssh refuses files of root
# (they belong to nobody there), and newuidmap has no effect. So there is no PrivateTmp=,
# ProtectSystem=, PrivateDevices=, ProtectKernel...= or anything else that needs one.
NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=default.target
"""


def service_text(command: list[str], *, systemd_version: int) -> str:
    """Return the unit for a podvisor that is called so; newer systemd gets what it knows."""
    restart = "RestartSec=2s"
    if systemd_version >= _RESTART_STEPS_SINCE:
        restart += "\nRestartSteps=8\nRestartMaxDelaySec=5min"
    return _TEXT.format(command=command_line(command), restart=restart)


def command_line(words: list[str]) -> str:
    """Write a command for ExecStart=."""
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    """Write a word for ExecStart=, where systemd has a say about %, $, quotes and spaces."""
    word = word.replace("%", "%%").replace("$", "$$")
    if word and not set(word) & set(" \t\"'\\;"):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
