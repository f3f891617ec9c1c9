"""Detached signatures: what openssl signs we find the signer of, among all whom we trust."""

import subprocess
from pathlib import Path

import pytest

from edge_lfr.governance.detached import SIGNATURE_BYTES, signer_of
from edge_lfr.governance.trust import Role, SigningKey
from simulators.bundles import trusted

MESSAGE = b"exact bytes\n"


def test_a_signature_of_openssl_names_its_key(tmp_path: Path) -> None:
    """Raw, over the file as it is, wherever the key stands among others."""
    key, message, signature = (tmp_path / name for name in ("key", "message", "signature"))
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(key)], timeout=60, check=True)
    key.chmod(0o600)
    message.write_bytes(MESSAGE)
    command = ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", str(key), "-in", str(message), "-out", str(signature)]
    subprocess.run(command, timeout=60, check=True)
    assert SIGNATURE_BYTES == len(signature.read_bytes())
    keys = [trusted(one, Role.ISSUE) for one in (SigningKey.generate(), SigningKey.load(key), SigningKey.generate())]
    assert keys[1] is signer_of(MESSAGE, signature.read_bytes(), keys)
    assert signer_of(MESSAGE, signature.read_bytes(), [keys[0], keys[2]]) is None
    assert signer_of(MESSAGE + b"\n", signature.read_bytes(), keys) is None


@pytest.mark.parametrize("untrusted_signature", [b"", bytes(63), bytes(64), bytes(65), b"\xff" * 64])
def test_what_is_no_signature_has_no_signer(untrusted_signature: bytes) -> None:
    """Of whatever length."""
    assert signer_of(MESSAGE, untrusted_signature, [trusted(SigningKey.generate(), Role.ISSUE)]) is None
