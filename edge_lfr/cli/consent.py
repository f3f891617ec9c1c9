"""Ask before what cannot be taken back."""

import sys

import typer


def require_consent(question: str, *, yes: bool) -> None:
    """
    Go on when the person says yes, or has said so on the command line.

    Raises:
        typer.BadParameter: Nobody can be asked here.
        typer.Abort: The answer was no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        message = "nobody can be asked here: repeat it with --yes"
        raise typer.BadParameter(message)
    typer.confirm(question, abort=True, err=True)
