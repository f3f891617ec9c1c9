"""Tell a running daemon that a command has changed what it relies on: keys, revocations or the authority."""

from typing import Any

from edge_lfr.cli.output import say
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.daemon.control.local_socket import ControlClient, Verb


def tell_daemon(config: ApplianceConfig) -> dict[str, Any] | None:
    """
    Have it look at once, and say what it does now; None where no daemon runs.

    Raises:
        ControlError: It runs and does not answer; by itself it looks within a minute.
    """
    client = ControlClient(config.control_socket)
    if not client.is_present():
        return None
    answer = client.request(Verb.RECHECK)
    reasons = ", ".join(map(str, answer.get("reasons", ())))
    say(f"the daemon knows: it is {answer.get('state', '-')}{f' ({reasons})' if reasons else ''}")
    return answer
