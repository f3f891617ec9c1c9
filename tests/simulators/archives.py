"""Archives block by block, also such as no `tar` makes; and the distribution's own `tar`."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

BLOCK_BYTES = 512
END = bytes(2 * BLOCK_BYTES)


def head(
    name: bytes,
    size: int,
    *,
    kind: bytes = b"0",
    link: bytes = b"",
    magic: bytes = b"ustar\x0000",
    prefix: bytes = b"",
    rest: bytes = b"",
    size_field: bytes | None = None,
) -> bytes:
    """The head of one member, with a right checksum whatever else is wrong with it."""
    block = bytearray(BLOCK_BYTES)
    size_field = f"{size:011o}\0".encode() if size_field is None else size_field
    fields = {
        0: name,
        100: b"0000644\0" + b"0001750\0" * 2 + size_field + b"15300535301\0",
        156: kind + link,
        257: magic + b"root",
        345: prefix,
        500: rest,
    }
    for place, content in fields.items():
        block[place : place + len(content)] = content
    return with_checksum(bytes(block))


def with_checksum(block: bytes) -> bytes:
    """The same head, with the checksum that its other bytes have."""
    total = sum(block[:148]) + 8 * ord(" ") + sum(block[156:])
    return block[:148] + f"{total:06o}\0 ".encode() + block[156:]


def filled(content: bytes) -> bytes:
    """Content up to the end of its last block."""
    return content + bytes(-len(content) % BLOCK_BYTES)


def member(name: str, content: bytes, kind: bytes = b"0") -> bytes:
    return head(name.encode(), len(content), kind=kind) + filled(content)


def archive(members: Mapping[str, bytes]) -> bytes:
    return b"".join(member(name, content) for name, content in members.items()) + END


def put(members: Mapping[str, bytes], folder: Path) -> None:
    """The files of an archive, as somebody has them who makes one by hand."""
    for name, content in members.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def tar(folder: Path, *arguments: str) -> bytes:
    """What the distribution's tar writes."""
    return subprocess.run(
        ["tar", "-C", str(folder), "-cf", "-", *arguments], capture_output=True, timeout=60, check=True
    ).stdout
