"""What must hold before anybody is compared in operation."""

from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.errors import AuthorityMissingError
from edge_lfr.terms import Mode


def require_authority(config: ApplianceConfig) -> None:
    """
    Training needs none; operation does not begin without one.

    Raises:
        AuthorityMissingError: The mode is operational: no deployment authority can be in force yet.
    """
    if config.mode is Mode.OPERATIONAL:
        message = "mode: operational needs a deployment authority, and none is in force on this appliance"
        raise AuthorityMissingError(message)
