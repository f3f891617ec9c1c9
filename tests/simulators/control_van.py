"""The broker of the control van: the example configuration as it ships, with certificates made by the script."""

import subprocess
from pathlib import Path
from typing import Final

from edge_lfr.config.reporting import BrokerConfig
from simulators.appliance import IDENTITY
from simulators.broker import Broker

ROOT: Final = Path(__file__).resolve().parents[2]
EXAMPLE: Final = ROOT / "systemd" / "mosquitto"
MAKE_CA: Final = ROOT / "scripts" / "make_ca"

EXAMPLE_FORCE: Final = "anytown"
FORCE: Final = IDENTITY.force
DEVICE: Final = IDENTITY.device
NEIGHBOUR: Final = "van-3"
"""Another appliance of the same force, with its own block in the access list."""


def make_ca(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the script to its end."""
    return subprocess.run([str(MAKE_CA), str(folder), *arguments], capture_output=True, text=True, check=False)


def make_certificates(folder: Path) -> Path:
    """The authority, the broker, everybody whom the access list below names, and one whom it does not."""
    made = make_ca(
        folder,
        *("--server", "control.van,localhost,127.0.0.1"),
        *("--device", DEVICE, "--device", "van-2", "--device", NEIGHBOUR),
        *("--control", "control-1", "--officer", "officer-1"),
    )
    assert 0 == made.returncode, made.stderr
    return folder


class ControlVan(Broker):
    """
    Mosquitto with the shipped files; nothing in them is changed but where things lie, the port and the force.

    The access list is edited as it asks for: a second appliance has the block of the first, with its own name.
    """

    def __init__(self, folder: Path, certificates: Path) -> None:
        super().__init__(folder)
        self.certificates = certificates
        acl = folder / "edge-lfr.acl"
        rules = (EXAMPLE / "edge-lfr.acl").read_text(encoding="utf-8")
        (block,) = (block for block in rules.split("\n\n") if f"user {DEVICE}\n" in block)
        rules += f"\n{block.replace(DEVICE, NEIGHBOUR)}\n"
        acl.write_text(rules.replace(f"/{EXAMPLE_FORCE}/", f"/{FORCE}/"))
        acl.chmod(0o600)
        text = (EXAMPLE / "edge-lfr.conf").read_text(encoding="utf-8")
        for shipped, here in (
            ("listener 8883\n", f"listener {self.port} 127.0.0.1\n"),
            ("/etc/mosquitto/certs/", f"{certificates}/"),
            ("/etc/mosquitto/edge-lfr.acl", str(acl)),
            ("log_dest syslog", "log_dest stderr"),
        ):
            assert shipped in text, shipped
            text = text.replace(shipped, here)
        self._config.write_text(f"{text}\nuser root\n")

    def config(self, *, username: str | None = None, password: str | None = None, keepalive_s: int = 5) -> BrokerConfig:
        """How a screen of the control room finds it."""
        assert username is None
        assert password is None
        return self.config_of("control-1", keepalive_s=keepalive_s)

    def config_of(self, name: str, *, keepalive_s: int = 5) -> BrokerConfig:
        """How the holder of certificate *name* finds it."""
        files = {
            "ca_file": self.certificates / "ca.pem",
            "certificate_file": self.certificates / f"{name}.pem",
            "key_file": self.certificates / f"{name}.key",
        }
        return super().config(keepalive_s=keepalive_s).model_copy(update=files)
