"""
Commands that take files from outside, run in this process on an appliance of their own, with mutants as their files.

What is judged is what a person at a terminal meets: an exit status of `sysexits.h`, no traceback, no defect, after a
refusal no file that was not there before, and no success with a file that the target of its kind does not accept.
"""

import io
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final, Protocol

import structlog

from edge_lfr.durable_files import create_durably
from edge_lfr.evaluation.fuzzing.authorities import Authorities
from edge_lfr.evaluation.fuzzing.bundles import Bundles
from edge_lfr.evaluation.fuzzing.case import INCOMING, Mutant, Outcome, Target, Verdict, of_signed, of_unsigned, put_in
from edge_lfr.evaluation.fuzzing.control_lines import STATUSES
from edge_lfr.evaluation.fuzzing.drafts import Drafts
from edge_lfr.evaluation.fuzzing.ledgers import Ledgers
from edge_lfr.evaluation.fuzzing.made import CONFIG, KEYS, PACK, SECOND_OFFICER, trust_file
from edge_lfr.evaluation.fuzzing.published_heads import PublishedHeads
from edge_lfr.evaluation.fuzzing.revocations import RevocationFiles
from edge_lfr.evaluation.fuzzing.tree_changes import changed_toml
from edge_lfr.evaluation.fuzzing.trust_files import TrustFiles
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.trust import Role
from edge_lfr.inference.catalogue import load_catalogue

RunCommand = Callable[[Sequence[str]], int]
"""The one entry point of the command line, which lies above this."""

CONFIGURATION: Final = "configuration"

KEEPS: Final = frozenset({"ledger.jsonl", "clock.json", "lock"})
"""What the appliance may write of its own accord, whatever becomes of the file that it was given."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """One command; `FILE` stands for the mutant's path, the other words in capitals for sound files."""

    words: tuple[str, ...]
    of: str
    """Of which kind its files are."""

    is_judge: bool = True
    """Whether success says that the file is to be believed, as the target of its kind then has to find, too."""


INVOCATIONS: Final = (
    Invocation(("authority", "verify", "FILE", "--config", "CONFIG"), "authority"),
    Invocation(("authority", "verify", "FILE", "--trust", "TRUST", "--device", "anytown/van-1", "--json"), "authority"),
    Invocation(("authority", "sign", "FILE", "OUT", "--key", "KEY", "--yes"), "draft"),
    Invocation(("authority", "take-revocation", "FILE", "--config", "CONFIG"), "revocation"),
    Invocation(("watchlist", "verify", "FILE", "--config", "CONFIG"), "bundle"),
    Invocation(
        ("watchlist", "inspect", "FILE", "--references", "--untrusted", "--config", "CONFIG"), "bundle", is_judge=False
    ),
    Invocation(("ledger", "verify", "--file", "FILE", "--config", "CONFIG"), "ledger"),
    Invocation(("ledger", "verify", "--file", "LEDGER", "--heads", "FILE", "--json"), "published heads"),
    Invocation(("ledger", "show", "--file", "FILE"), "ledger", is_judge=False),
    Invocation(("keys", "trust", "FILE", "--yes", "--config", "CONFIG"), "trust file"),
    Invocation(("config", "check", "--config", "FILE"), CONFIGURATION, is_judge=False),
)


_WITHOUT_HEADS: Final = ("ledger", "verify", "--file")
"""How a ledger is verified where nobody gives heads to compare with: what was cut off does not show."""


class Maker(Protocol):
    """Makes files of one kind; a `Target` does, and reads them besides."""

    @property
    def specimens(self) -> Sequence[bytes]:
        """Sound ones."""

    def structured(self, drawn: Random) -> Mutant:
        """Change a specimen as somebody would who knows its form."""


class _Configurations:
    """The configuration itself, as the person wrote it: whatever it says may be meant, so that nobody judges it."""

    specimens = (CONFIG.encode(),)

    def structured(self, drawn: Random) -> Mutant:
        return Mutant(*changed_toml(drawn, self.specimens[0]))


class Commands:
    """All commands of `INVOCATIONS`, one after the other drawn."""

    name = "command"

    def __init__(self, run: RunCommand) -> None:
        self._run = run
        self._logging = structlog.get_config()
        self._home = tempfile.TemporaryDirectory(prefix="edge-lfr-fuzz-home-")
        self._folder = Path(self._home.name)
        now = datetime.now(tz=UTC).replace(microsecond=0)
        self._config = self._folder / "edge-lfr.toml"
        self._config.write_text(CONFIG, encoding="utf-8")
        keys = DeviceKeys.load(self._folder / "state" / "device", create=True)
        trust = self._folder / "trust.d"
        trust.mkdir(mode=0o755)
        for number, (role, key) in enumerate((*KEYS.items(), (Role.AUTHORISE, SECOND_OFFICER))):
            path = trust / f"{role}-{number}.toml"
            path.write_bytes(trust_file(role, key, now - timedelta(hours=1)))
            path.chmod(0o644)
        create_durably(self._folder / "officer.key", KEYS[Role.AUTHORISE].pem())
        heads, self._ledgers = PublishedHeads(), Ledgers()
        (self._folder / "sound.jsonl").write_bytes(heads.ledger)
        judges: tuple[Target, ...] = (
            Authorities(now, load_catalogue().pack(PACK).digest),
            Drafts(now),
            RevocationFiles(now),
            Bundles(now, keys.receiving),
            self._ledgers,
            heads,
            TrustFiles(),
        )
        self._judges = {judge.name: judge for judge in judges}
        self._makers: Mapping[str, Maker] = {**self._judges, CONFIGURATION: _Configurations()}
        self.specimens = tuple(_addressed(number, each) for number, each in self._sound())
        self._before = set(self._files())

    def _sound(self) -> Iterator[tuple[int, bytes]]:
        for number, invocation in enumerate(INVOCATIONS):
            yield number, self._makers[invocation.of].specimens[0]

    def structured(self, drawn: Random) -> Mutant:
        number = drawn.randrange(len(INVOCATIONS))
        made = self._makers[INVOCATIONS[number].of].structured(drawn)
        how = f"{' '.join(INVOCATIONS[number].words[:2])}: {made.how}"
        return Mutant(_addressed(number, made.untrusted), how, is_signed_anew=made.is_signed_anew)

    def attempt(self, mutant: Mutant, folder: Path) -> Outcome:
        number = mutant.untrusted[0] % len(INVOCATIONS) if mutant.untrusted else 0
        path = put_in(folder, "offered.toml", mutant.untrusted[1:])
        places = {"FILE": path, "CONFIG": self._config, "TRUST": self._folder / "trust.d"}
        places |= {
            "LEDGER": self._folder / "sound.jsonl",
            "KEY": self._folder / "officer.key",
            "OUT": folder / "out.json",
        }
        words = [str(places.get(word, word)) for word in INVOCATIONS[number].words]
        # as strict as the streams of a process: what cannot be encoded is a defect on stdout
        out, error = io.BytesIO(), io.BytesIO()
        with (
            redirect_stdout(io.TextIOWrapper(out, "utf-8", write_through=True)) as results,
            redirect_stderr(io.TextIOWrapper(error, "utf-8", "backslashreplace", write_through=True)) as remarks,
        ):
            status = self._run(words)
        said = (out.getvalue() + error.getvalue()).decode()
        results.detach()
        remarks.detach()
        made = set(self._files()) - self._before
        for each in made:
            each.unlink()
        command = " ".join(words[:2])
        if status not in STATUSES or "Traceback" in said or "a defect" in said:
            last = error.getvalue().decode().strip().splitlines()[:1]
            message = f"{command}: exit status {status}: {''.join(last)[:120]}"
            raise AssertionError(message)
        if status == os.EX_OK:
            return self._accepted(mutant, INVOCATIONS[number], folder)
        if any(each.name not in KEEPS for each in made):
            message = f"{command}: refused, and left a file"
            raise AssertionError(message)
        return Outcome(Verdict.REFUSED, f"{command}: exit status {status}")

    def _accepted(self, mutant: Mutant, invocation: Invocation, folder: Path) -> Outcome:
        """Success is right where the code that reads such files accepts this one, too."""
        if not invocation.is_judge or mutant.untrusted in self.specimens:
            return of_unsigned(is_same=mutant.untrusted in self.specimens)
        offered = replace(mutant, untrusted=mutant.untrusted[1:])
        if invocation.words[:3] == _WITHOUT_HEADS:
            return of_signed(offered, is_same=self._ledgers.begins_so(offered.untrusted))
        own = folder / INCOMING / "own"
        own.mkdir()
        outcome = self._judges[invocation.of].attempt(offered, own)
        return Outcome(Verdict.FORGED) if outcome.verdict is Verdict.REFUSED else outcome

    def _files(self) -> Iterator[Path]:
        return (path for path in self._folder.rglob("*") if not path.is_dir())

    def close(self) -> None:
        structlog.configure(**self._logging)
        self._home.cleanup()


def _addressed(number: int, content: bytes) -> bytes:
    """A file with a byte before it that says for which command it is."""
    return bytes([number]) + content
