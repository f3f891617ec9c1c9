"""Options that several commands share; each has one variable of the same name."""

from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

DEFAULT_CONFIG: Final = Path("/etc/edge-lfr/edge-lfr.toml")

ConfigOption: TypeAlias = Annotated[
    Path,
    typer.Option("--config", metavar="FILE", envvar="EDGE_LFR_CONFIG", help="The appliance's configuration."),
]

PolicyOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", envvar="EDGE_LFR_CONFIG", help="Of an appliance, for the force's own policy."
    ),
]
"""Where no appliance is, published practice holds."""

JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Write the result as one JSON object.")]

YesOption: TypeAlias = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

DEFAULT_SHARED: Final = Path("../shared")

SharedOption: TypeAlias = Annotated[
    Path, typer.Option("--shared", metavar="DIR", help="Folder with models/ and data/.")
]


def new_app(help_text: str | None = None, *, has_verbs: bool = True) -> typer.Typer:
    """
    An application of one noun: no completion, no boxes around errors that we write ourselves.

    Args:
        help_text: What the noun is for.

        has_verbs: Verbs follow; without one the help is shown.
    """
    app = typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, no_args_is_help=has_verbs, rich_markup_mode=None
    )
    if has_verbs:
        app.callback(help=help_text)(_nothing)  # with a callback, a single verb stays a verb
    return app


def _nothing() -> None:
    """Nothing is common to the verbs of a noun."""
