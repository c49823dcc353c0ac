"""The `scale` command: what people and pipelines type. It computes nothing; what it prints comes from the domain."""

import sys
from importlib import import_module

CUT_OFF = "The command was ended before it finished."


def main(arguments: list[str] | None = None) -> None:
    """What a terminal calls. arguments: in place of the terminal's. Ctrl-C while a command is loaded: exit code 3."""
    try:
        import_module("scale_app.cli.commands").scale(arguments)
    except KeyboardInterrupt:
        sys.stderr.write(f"{CUT_OFF}\n")
        sys.exit(3)
