"""
The other processes of a rehearsal: a broker on a free loopback port, and whatever else is started; all end with it.

Children stand in a session of their own, so that a ctrl-C at the terminal reaches this process alone, which then
ends them in reverse order: the daemon before the subscriber, and both before the broker.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from edge_lfr.errors import BrokerUnavailableError, EdgeLfrError

TERMINATION_S: Final = 10.0
"""Time to end in good order after SIGTERM; the daemon has to finish a pass, wipe its buffers and close its outbox."""

BROKER_START_S: Final = 10.0
"""Mosquitto listens within a tenth of a second; a loaded machine is given more."""

MESSAGE_LIMIT_BYTES: Final = 128 * 1024
"""The largest message of the appliance; its broker takes no larger ones."""


class RehearsalError(EdgeLfrError):
    """A part of the rehearsal did not do its work."""

    code = "rehearsal"
    exit_status = os.EX_SOFTWARE


@dataclass(frozen=True, slots=True, eq=False)
class Child:
    """A running process and the file that its words go to."""

    name: str
    process: subprocess.Popen[str]
    log: Path

    def last_words(self, lines: int = 12) -> str:
        """The end of its log, for a person who has to find out why it failed."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


class Children:
    """Starts processes; leaving the block ends them all, the last one first."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        """
        Start none yet.

        Args:
            folder: Where their logs go.

            environment: All that they see of the environment.
        """
        self._folder = folder
        self._environment = dict(environment)
        self._running: list[Child] = []

    def start(self, name: str, command: Sequence[str], *, stdout: int | IO[str] = subprocess.DEVNULL) -> Child:
        log = self._folder / f"{name}.log"
        with log.open("w", encoding="utf-8") as words:
            process = subprocess.Popen(  # noqa: S603  # the commands are this module's and its caller's own
                list(command),
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=words,
                text=True,
                start_new_session=True,
            )
        child = Child(name, process, log)
        self._running.append(child)
        return child

    def run(self, name: str, command: Sequence[str]) -> str:
        """
        Run a command to its end and give back what it printed.

        Raises:
            RehearsalError: It failed; the message holds its last words.
        """
        child = self.start(name, command, stdout=subprocess.PIPE)
        output, _ = child.process.communicate()
        if child.process.returncode != 0:
            raise RehearsalError(f"{name} ended with status {child.process.returncode}:\n{child.last_words()}")
        return output

    def stop(self, child: Child) -> None:
        """SIGTERM, and SIGKILL to one that does not listen."""
        if child.process.poll() is None:
            child.process.terminate()
            try:
                child.process.wait(TERMINATION_S)
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
        if child.process.stdout is not None:
            child.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._running:
            self.stop(self._running.pop())


def broker_program() -> str:
    """
    Find Mosquitto.

    Raises:
        BrokerUnavailableError: It is not installed.
    """
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        message = "mosquitto is not installed"
        raise BrokerUnavailableError(message, remedy="sudo apt-get install mosquitto")
    return program


def start_broker(children: Children, folder: Path) -> int:
    """
    Start Mosquitto on a free loopback port and wait until it listens.

    Returns:
        The port.

    Raises:
        BrokerUnavailableError: There is no Mosquitto, or it does not listen.
    """
    program = broker_program()
    port = _free_port()
    configuration = folder / "mosquitto.conf"
    configuration.write_text(
        f"listener {port} 127.0.0.1\n"
        "allow_anonymous true\n"
        "persistence false\n"
        f"message_size_limit {MESSAGE_LIMIT_BYTES}\n"
        "log_dest stderr\n"
        "log_type error\n"
        "log_type warning\n",
        encoding="utf-8",
    )
    child = children.start("mosquitto", [program, "-c", str(configuration)])
    give_up_at = time.monotonic() + BROKER_START_S
    while time.monotonic() < give_up_at and child.process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return port
        time.sleep(0.05)
    raise BrokerUnavailableError(f"mosquitto does not listen on port {port}:\n{child.last_words()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
