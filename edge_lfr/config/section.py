"""What all sections of the configuration share."""

from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A frozen part of the configuration; an unknown key is an error, and the docstring under a field is its help."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True)


Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
"""A name that may stand in a topic, a path and a log line: lower case letters, digits and hyphens."""

RESERVED: Final = frozenset({"training", "operational", "up", "down"})
"""Levels of topics that say something else: no party is called so, lest a topic be misread."""


def _refuse_reserved(name: str) -> str:
    if name in RESERVED:
        message = f"found {name!r}, which is no name: it says something else in a topic"
        raise ValueError(message)
    return name


PartyName = Annotated[Identifier, AfterValidator(_refuse_reserved)]
"""A force or an appliance."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]
"""0 to 1."""

Seconds = Annotated[float, Field(gt=0.0, le=86_400.0)]
