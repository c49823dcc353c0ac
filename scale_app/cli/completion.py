"""`scale completion`: the shell's Tab key completes commands and flags."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from scale_app.cli.commands import CannotStart, scale
from scale_app.files import taking_the_place_of

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_SCALE_COMPLETE"
HINT = "Start a new shell to use it."
ZSH_HINT = f"Add `fpath+=(~/.zfunc); autoload -U compinit; compinit` to ~/.zshrc once. {HINT}"


@click.command()
@click.argument("shell", type=click.Choice(SHELLS), required=False)
@click.option("--install", is_flag=True, help="Write it where the shell finds it, in your home folder.")
def completion(shell: str | None, install: bool) -> None:
    """Print what lets SHELL complete commands and flags with Tab; --install puts it in place.

    Without SHELL it is the one in the variable SHELL.
    """
    shell = shell or Path(os.environ.get("SHELL", "bash")).name
    if shell not in SHELLS:
        found = f"There is no completion for {shell}" if shell else "The variable SHELL names no shell"
        raise click.UsageError(f"{found}; give one of {', '.join(SHELLS)}")
    script = script_of(shell)
    if not install:
        click.echo(script)
        return
    place = place_of(shell, Path.home())
    _write(place, script)
    click.echo(f"Wrote {place}. {ZSH_HINT if shell == 'zsh' else HINT}")


def script_of(shell: str) -> str:
    """What the shell reads. It asks `scale` itself at each Tab."""
    found = get_completion_class(shell)
    assert found is not None
    return found(scale, {}, "scale", VARIABLE).source()


def place_of(shell: str, home: Path) -> Path:
    """Where the shell looks for it by itself; zsh once `~/.zfunc` is in its fpath."""
    places = {
        "bash": ".local/share/bash-completion/completions/scale",
        "zsh": ".zfunc/_scale",
        "fish": ".config/fish/completions/scale.fish",
    }
    return home / places[shell]


def _write(place: Path, script: str) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with taking_the_place_of(place) as written:
            written.write_text(script)
    except OSError as error:
        raise CannotStart(f"{place} cannot be written ({error.strerror or error}): save what is printed.") from None
