"""
What the service manager is told: datagrams of `NAME=value` lines to its socket, as sd_notify(3) describes.

Without the variable `NOTIFY_SOCKET` nobody is told anything, and nothing else changes.
"""

import os
import socket
from collections.abc import MutableMapping
from typing import Final, Self

import structlog

log = structlog.get_logger()

SEND_LIMIT_S: Final = 1.0
"""A service manager that takes nothing for so long is not waited for; chosen, not measured."""

MAX_WORDS: Final = 200
"""Characters of the line that `systemctl status` shows."""


class Notifier:
    """Speaks to the service manager; from one thread."""

    def __init__(self, address: str | None, watchdog_s: float | None) -> None:
        """
        Send nothing yet.

        Args:
            address: A path, or `@name` in the abstract namespace; None: nobody listens.

            watchdog_s: Longest silence that the service manager bears before it kills; None: any.
        """
        self._address = address
        self.watchdog_s = watchdog_s
        self._has_failed = False

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str]) -> Self:
        """Take the manager's variables out of *environ*: no child shall speak in this process's name."""
        address = environ.pop("NOTIFY_SOCKET", None)
        watchdog_us = environ.pop("WATCHDOG_USEC", "")
        watchdog_pid = environ.pop("WATCHDOG_PID", "")
        if address is not None and not address.startswith(("/", "@")):
            log.warning("notify.address-unknown", expected="a path or an abstract name")
            address = None
        is_meant = watchdog_us.isdecimal() and int(watchdog_us) > 0 and watchdog_pid in {"", str(os.getpid())}
        return cls(address, int(watchdog_us) / 1e6 if address is not None and is_meant else None)

    def environment(self) -> dict[str, str]:
        """The manager's variables, for the program that takes this one's place under the same number."""
        found = {} if self._address is None else {"NOTIFY_SOCKET": self._address}
        if self.watchdog_s is not None:
            found |= {"WATCHDOG_USEC": str(round(self.watchdog_s * 1e6)), "WATCHDOG_PID": str(os.getpid())}
        return found

    @property
    def is_heard(self) -> bool:
        """Whether there is somebody to tell."""
        return self._address is not None

    def ready(self, words: str) -> None:
        """Everything that may refuse has been proved, and the work has begun."""
        self._send("READY=1", _status(words))

    def status(self, words: str) -> None:
        """One line for a person."""
        self._send(_status(words))

    def watchdog(self) -> None:
        """All threads go on."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        self._send("STOPPING=1", _status("stopping"))

    def _send(self, *lines: str) -> None:
        """Lose what the manager does not take: a line to it never decides about the work."""
        if self._address is None:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.settimeout(SEND_LIMIT_S)
                sender.connect(address)
                sender.sendall("\n".join(lines).encode())
        except OSError as error:
            if not self._has_failed:
                log.warning("notify.failed", reason=error.strerror or type(error).__name__)
            self._has_failed = True
        else:
            self._has_failed = False


def _status(words: str) -> str:
    return f"STATUS={' '.join(words.split())[:MAX_WORDS]}"
