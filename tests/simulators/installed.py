"""A box and its control van in one machine: the appliance as `scripts/install` leaves it, and the example broker."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from simulators.appliance import eventually
from simulators.control_van import EXAMPLE_FORCE as FORCE
from simulators.machine import ROOT, Machine

DEVICE: Final = "van-1"
UNIT: Final = "edge-lfr.service"
CERTIFICATES: Final = "/root/ca"
CONFIG: Final = f"""
mode = "training"
force = "{FORCE}"
device = "{DEVICE}"
[models]
pack = "yunet-0095"
[[cameras]]
id = "north"
source = "/srv/street/"
pictures_per_second = 8
[reporting.broker]
host = "control.van"
ca_file = "tls/ca.pem"
certificate_file = "tls/{DEVICE}.pem"
key_file = "credential:edge-lfr.broker-key"
reconnect_s = [0.2, 1.0]
"""


def lines_for_the_broker() -> str:
    """The block of systemd/README.md that puts the broker's files where its service can read them."""
    page = (ROOT / "systemd" / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```[a-z]*\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)
    (block,) = (block for block in blocks if "/etc/mosquitto" in block)
    assert isinstance(block, str)
    return block.replace("DIR/", f"{CERTIFICATES}/")


@dataclass(frozen=True)
class Box:
    """What a technician does at it, as root unless it is said otherwise."""

    machine: Machine
    models: Path

    def install(self, *options: str) -> str:
        """Run the script as it ships; gives what it says it did."""
        script = str(ROOT / "scripts" / "install")
        done = self.machine.run(script, "--without-environment", *options)
        assert 0 == done.returncode, done.stderr
        return done.stderr

    def open_control_van(self) -> None:
        """Certificates by the script, then line by line what the page says; Debian's own unit."""
        run = self.machine.done
        make_ca = str(ROOT / "scripts" / "make_ca")
        run(make_ca, CERTIFICATES, "--server", "control.van", "--device", DEVICE, "--control", "control-1")
        self.machine.write("/etc/hosts", "127.0.0.1 localhost control.van\n")
        run("sh", "-euc", f"cd '{ROOT}'\n{lines_for_the_broker()}")

    def configure(self) -> None:
        """What a site adds: its configuration, its certificate, the key of it as a credential, whom it trusts."""
        run = self.machine.done
        self.machine.write("/etc/edge-lfr/edge-lfr.toml", CONFIG)
        own = (f"{CERTIFICATES}/ca.pem", f"{CERTIFICATES}/{DEVICE}.pem")
        run("install", "-m", "0644", *own, "/etc/edge-lfr/tls/")
        sealed = "/etc/credstore.encrypted/edge-lfr.broker-key"
        run("systemd-creds", "encrypt", "--name=edge-lfr.broker-key", f"{CERTIFICATES}/{DEVICE}.key", sealed)
        for role in ("control", "train"):
            run("edge-lfr", "keys", "new", role, f"/root/{role}.key", f"/etc/edge-lfr/trust.d/{role}.toml")
        run("edge-lfr", "keys", "init")

    def load(self, folder: str) -> None:
        """Make a bundle of a watchlist folder as root, who is its issuer here, and load it; anybody may read it."""
        run, bundle = self.machine.done, f"{folder}.lfrw"
        recipient = run("edge-lfr", "keys", "show", "--recipient").strip()
        whose = ("--training", "--key", "/root/train.key", "--to", recipient, "--device", f"{FORCE}/{DEVICE}")
        which = ("--list-id", "list-1", "--issuer", "training desk", "--extracted-at", datetime.now(UTC).isoformat())
        run("edge-lfr", "watchlist", "build", folder, bundle, *whose, *which)
        run("chmod", "a+r", bundle)
        run("edge-lfr", "watchlist", "load", bundle)

    def listen(self) -> None:
        """A screen of the control room, which acknowledges."""
        names = {"CERTIFICATE_FILE": f"{CERTIFICATES}/control-1.pem", "KEY_FILE": f"{CERTIFICATES}/control-1.key"}
        variables = [f"--setenv=EDGE_LFR__REPORTING__BROKER__{name}={path}" for name, path in names.items()]
        watch = "/opt/edge-lfr/bin/edge-lfr alerts watch --json --key /root/control.key >/root/seen"
        self.machine.done("systemd-run", "--unit=control-room", *variables, "sh", "-c", f"exec {watch}")

    def seen(self) -> list[dict[str, Any]]:
        """What the control room was told so far."""
        lines = self.machine.run("cat", "/root/seen").stdout.splitlines()
        return [json.loads(line) for line in lines]

    def show(self, name: str) -> str:
        """A property of the unit."""
        return self.machine.done("systemctl", "show", f"--property={name}", "--value", UNIT).strip()

    def comes_to(self, name: str, value: str, timeout_s: float = 30.0) -> bool:
        """Whether a property of the unit takes this value."""
        return eventually(lambda: self.show(name) == value, timeout_s)

    def shorten(self, **settings: str) -> None:
        """Other settings of the unit until the next call: times that a test need not wait for."""
        lines = "\n".join(f"{name}={value}" for name, value in settings.items())
        self.machine.write(f"/run/systemd/system/{UNIT}.d/test.conf", f"[Service]\n{lines}\n")
        self.machine.done("systemctl", "daemon-reload")

    def journal(self) -> str:
        """What the unit has said, and what was said about it."""
        return self.machine.done("journalctl", "--unit", UNIT, "--no-pager", "--output=cat")

    def children(self) -> list[str]:
        """Processes of the daemon's user, by their command."""
        found = self.machine.run("ps", "-u", "edge-lfr", "-o", "args=").stdout.splitlines()
        return [line.strip() for line in found]
