"""
What a decoder takes from itself before it reads a hostile byte: its survival, its limits, its view of the file system.

After `confine` a decoder reads its own source and, for a network source, what finds a host; it writes, creates and
executes nothing, and connects to one TCP port at most. Landlock is best effort: an older kernel has less of it or none,
and the version that is in force is reported. Standard library only.
"""

import ctypes
import os
import resource
import signal
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

RESOLVER_FILES = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/ssl")
"""What the C library and TLS read to reach a host; the rest of /etc holds configurations and keys."""

LIBRARY_FOLDERS = ("/usr/lib", "/usr/share/zoneinfo", "/lib", "/lib64")
"""The C library loads its resolver's plug-ins when they are first needed."""

MAX_ADDRESS_SPACE_BYTES = 4 << 30
"""Twice what decoding a picture of 100 megapixels was seen to need; a bomb ends here instead of on the machine."""

MAX_OPEN_FILES = 64
"""A decoder holds about ten. Chosen, not measured."""

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

# linux/prctl.h
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38

# linux/landlock.h; the numbers of the calls are the same on x86_64 and aarch64
_SYS_CREATE_RULESET = 444
_SYS_ADD_RULE = 445
_SYS_RESTRICT_SELF = 446
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1
_RULE_NET_PORT = 2
_WRITE_FILE = 1 << 1
_READ_FILE = 1 << 2
_READ_DIR = 1 << 3
_IOCTL_DEV = 1 << 15
_CONNECT_TCP = 1 << 1
_FS_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
"""All rights over files that a version knows; later versions than these add none."""

_NET_SINCE = 4
_NET_RIGHTS = 0b11
_SCOPED_SINCE = 6
_SCOPED = 0b11
"""No abstract Unix socket and no signal leaves the decoder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a decoder may still reach."""

    readable: Sequence[str] = ()
    """Files, and folders with all that lies in them; those that do not exist are passed over."""

    device: str | None = None
    """A capture device, for reading, writing and its controls."""

    port: int | None = None
    """The one TCP port that may be connected to."""


def die_with(parent_pid: int) -> None:
    """Be killed when the thread that started this process ends; end at once if it has ended already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        raise SystemExit(os.EX_UNAVAILABLE)


def confine(allowance: Allowance) -> int:
    """
    Give up everything that decoding does not need; there is no way back.

    Returns:
        The Landlock version in force, 0 when the kernel has none.
    """
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_DUMPABLE, 0)
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, MAX_OPEN_FILES),
        (resource.RLIMIT_AS, MAX_ADDRESS_SPACE_BYTES),
    ):
        _, hard = resource.getrlimit(limit)
        lowered = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (lowered, lowered))
    return _landlock(allowance)


def _landlock(allowance: Allowance) -> int:
    version = int(_libc.syscall(_SYS_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION))
    if version < 1:
        return 0
    fs_rights = _FS_RIGHTS[min(version, max(_FS_RIGHTS))]
    attributes = struct.pack(
        "=QQQ",
        fs_rights,
        _NET_RIGHTS if version >= _NET_SINCE else 0,
        _SCOPED if version >= _SCOPED_SINCE else 0,
    )
    # A kernel refuses bits beyond its own size of this structure, and takes trailing zeros.
    ruleset = int(_libc.syscall(_SYS_CREATE_RULESET, attributes, len(attributes), 0))
    if ruleset < 0:
        return 0
    try:
        for path in allowance.readable:
            _allow_path(ruleset, path, _READ_FILE | _READ_DIR)
        if allowance.device is not None:
            _allow_path(ruleset, allowance.device, (_READ_FILE | _WRITE_FILE | _IOCTL_DEV) & fs_rights)
        if allowance.port is not None and version >= _NET_SINCE:
            rule = struct.pack("=QQ", _CONNECT_TCP, allowance.port)
            _libc.syscall(_SYS_ADD_RULE, ruleset, _RULE_NET_PORT, rule, 0)
        restricted = int(_libc.syscall(_SYS_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)
    return version if restricted == 0 else 0


def _allow_path(ruleset: int, path: str, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no permission; opening it will say so
    try:
        if not Path(path).is_dir():
            rights &= ~_READ_DIR  # the kernel refuses a folder's right on a file
        rule = struct.pack("=Qi", rights, handle)
        _libc.syscall(_SYS_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0)
    finally:
        os.close(handle)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl failed")
