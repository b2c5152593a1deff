"""Run git with everything in the machine's and the user's configuration that could do harm off.

What may help stays: proxies, certificates, `insteadOf`, credential helpers, `~/.netrc`, ssh keys.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from supervisor.kit.process import Completed, OutputLimit, ProcessTimeout, run
from supervisor.model.errors import Retry, Stalled

# Of the environment's GIT_ variables, those that say how to reach a server, and no others.
_KEPT = (
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSH_VARIANT",
    "GIT_SSL_",
    "GIT_PROXY_",
    "GIT_HTTP_",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_EXEC_PATH",
)
_OFF = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.askPass": "",
    "core.attributesFile": "/dev/null",
    "core.bigFileThreshold": "4m",
    "core.logAllRefUpdates": "false",
    "core.fsync": "committed",
    "core.fsyncMethod": "batch",
    "fetch.recurseSubmodules": "false",
    "fetch.writeCommitGraph": "false",
    "fetch.prune": "false",
    "fetch.bundleURI": "",
    "fetch.unpackLimit": "1",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "submodule.recurse": "false",
    "transfer.bundleURI": "false",
    "http.lowSpeedLimit": "100",
    "http.lowSpeedTime": "60",
}
# A fetch is one file, of which the size has a limit, and large blobs are never held in memory.
# What is stored outlasts a power cut.
_OPTIONS = tuple(part for key, value in _OFF.items() for part in ("-c", f"{key}={value}"))


def environment(config: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for git; `config` goes in here, not in argv, for it may be secret."""
    env = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("GIT_", "LC_")) or key.startswith(_KEPT)
    }
    for key in ("SSH_ASKPASS", "LANGUAGE", "DISPLAY", "WAYLAND_DISPLAY"):
        env.pop(key, None)
    env |= {
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "https:http:ssh:file",
        "GIT_DEFAULT_REF_FORMAT": "files",
        "GIT_NO_REPLACE_OBJECTS": "1",
    }
    if config:
        env["GIT_CONFIG_COUNT"] = str(len(config))
        for number, (key, value) in enumerate(config.items()):
            env[f"GIT_CONFIG_KEY_{number}"] = key
            env[f"GIT_CONFIG_VALUE_{number}"] = value
    return env


async def git(
    *args: str,
    repository: str = "",
    doing: str,
    stdin: bytes | Path = b"",
    env: Mapping[str, str] | None = None,
    timeout_seconds: float = 120.0,
    output_limit: int = 64 << 20,
    file_limit: int = 0,
    hear: Callable[[bytes], None] | None = None,
) -> Completed:
    """Run one git command; `doing` completes "cannot …" in the failures that are no matter of git.

    A process killed by a signal of its own accord (out of memory …) is worth a retry.
    """
    argv = ["git", *_OPTIONS]
    if repository:
        argv += ["--git-dir", repository]
    try:
        done = await run(
            [*argv, *args],
            stdin=stdin,
            env=environment() if env is None else env,
            cwd="/",
            timeout_seconds=timeout_seconds,
            output_limit=output_limit,
            file_limit=file_limit,
            hear=hear,
        )
    except FileNotFoundError as error:
        raise Stalled(
            f"cannot {doing}: git is not installed", hint="apt install git (or dnf install git)"
        ) from error
    except OSError as error:
        raise Retry(f"cannot {doing}: cannot start git: {error.strerror}") from error
    except ProcessTimeout as error:
        raise Retry(f"cannot {doing}: no end after {timeout_seconds:g} s") from error
    except OutputLimit as error:
        raise Stalled(
            f"cannot {doing}: it holds too much",
            hint="keep what is deployed in a repository or folder of its own",
        ) from error
    if done.code < 0:
        raise Retry(f"cannot {doing}: git was killed by signal {-done.code}")
    return done
