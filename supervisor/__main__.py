"""The entrance: `podvisor` and `python -m supervisor`.

Nothing is imported before it is known to be needed: `podvisor --version`, `status` and
`sync` cost little more than the interpreter itself, and the daemon carries no parser of commands.
"""

import sys

from supervisor import __version__


def main() -> int:
    """Run the command line; returns the exit code."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        print(f"podvisor {__version__}")  # noqa: T201
        return 0
    from supervisor.cli.show.screen import write_what_it_can_show  # noqa: PLC0415

    write_what_it_can_show()
    code = None
    if arguments[:1] == ["status"]:
        from supervisor.cli.fast import status_report  # noqa: PLC0415

        code = status_report.quick(arguments[1:])
    elif arguments[:1] == ["sync"]:
        from supervisor.cli.fast import sync_now  # noqa: PLC0415

        code = sync_now.quick(arguments[1:])
    elif arguments[:1] == ["run"]:
        from supervisor.cli.fast import run_daemon  # noqa: PLC0415

        code = run_daemon.quick(arguments[1:])
    if code is not None:
        return code
    from supervisor.cli.app import run  # noqa: PLC0415

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
