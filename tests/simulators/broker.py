"""A real Mosquitto on a free loopback port, which a test can stop, kill, freeze and start again."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from edge_lfr.config.reporting import BrokerConfig

START_TIMEOUT_S: Final = 10.0


class Broker:
    """Starts on entering, ends on leaving; keeps nothing between two starts, like a broker without persistence."""

    def __init__(
        self, folder: Path, *, options: str = "", users: Mapping[str, str] | None = None, acl: str = ""
    ) -> None:
        """
        Args:
            options: Further lines of the configuration file.

            users: Passwords by name; None lets everybody in.

            acl: Contents of an access list; empty allows everything.
        """
        program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        assert program is not None, "mosquitto is not installed"
        self._program = program
        self.port = _free_port()
        self._config = folder / "mosquitto.conf"
        self._log = folder / "mosquitto.log"
        lines = [f"listener {self.port} 127.0.0.1", "persistence false", "log_dest stderr", "log_type all", options]
        if os.geteuid() == 0:
            lines.append("user root")
        if users is None:
            lines.append("allow_anonymous true")
        else:
            passwords = folder / "passwords"
            passwords.touch(mode=0o600)
            for name, password in users.items():
                subprocess.run(["mosquitto_passwd", "-b", str(passwords), name, password], check=True)
            lines += ["allow_anonymous false", f"password_file {passwords}"]
        if acl:
            (folder / "acl").write_text(acl)
            (folder / "acl").chmod(0o600)
            lines.append(f"acl_file {folder / 'acl'}")
        self._config.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def config(self, *, username: str | None = None, password: str | None = None, keepalive_s: int = 5) -> BrokerConfig:
        """How a client finds it."""
        return BrokerConfig.model_validate(
            {
                "host": "127.0.0.1",
                "port": self.port,
                "username": username,
                "password": password,
                "keepalive_s": keepalive_s,
                "reconnect_s": (0.1, 0.5),
            }
        )

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([self._program, "-c", str(self._config)], stderr=log, stdout=log)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, "mosquitto does not listen"
            time.sleep(0.01)

    def kill(self) -> None:
        """End it at once, as a power cut does: what it had in memory is gone."""
        self._signal(signal.SIGKILL)
        self._reap()

    def stop(self) -> None:
        self._signal(signal.SIGTERM)
        self._reap()

    def freeze(self) -> None:
        """Its sockets stay open, and it does nothing any more."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def log(self) -> str:
        return self._log.read_text()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self.kill()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "not started"
        self._process.send_signal(number)

    def _reap(self) -> None:
        assert self._process is not None, "not started"
        self._process.wait(timeout=START_TIMEOUT_S)
        self._process = None

    def _answers(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(0.5)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        assert isinstance(port, int)
        return port
