"""The one way in which a camera's source may be shown: without credentials, path and query."""

import re
from urllib.parse import urlsplit

_HOST = re.compile(r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(:[0-9]{1,5})?$")
_DEVICE = re.compile(r"^/dev/video[0-9]{1,3}$")

HIDDEN = "(hidden)"
"""Stands where a host cannot be told from a credential with certainty."""


def redact(source: str) -> str:
    """
    Say what kind of source it is and, of an address, scheme, host and port.

    A password with `/`, `?`, `#` or `@` in it, unquoted, makes the address ambiguous; then the host is hidden too.
    """
    scheme, separator, rest = source.partition("://")
    if not separator:
        if _DEVICE.match(source):
            return source
        return "folder" if source.endswith("/") else "file"
    scheme = scheme if scheme in {"rtsp", "rtsps"} else HIDDEN
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    host = authority.rpartition("@")[2]
    if "@" in rest[len(authority) :] or not _HOST.match(host):
        host = HIDDEN
    return f"{scheme}://{host}"


def port_of(source: str, default: int) -> int:
    """The TCP port of an address; *default* where it names none or nonsense."""
    try:
        port = urlsplit(source).port
    except ValueError:
        return default
    return default if port is None else port
