"""What may be shown of a camera's source."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_lfr.pipeline.capture.redaction import HIDDEN, port_of, redact


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("rtsp://10.0.0.7/stream1", "rtsp://10.0.0.7"),
        ("rtsp://camera-3.van:8554/a/b?token=x#y", "rtsp://camera-3.van:8554"),
        ("rtsps://user:secret@[fe80::1]:322/x", "rtsps://[fe80::1]:322"),
        ("rtsp://user:se@cret@10.0.0.7/x", "rtsp://10.0.0.7"),
        ("rtsp://user:se/cret@10.0.0.7/x", f"rtsp://{HIDDEN}"),
        ("rtsp://user:se?cret@10.0.0.7/x", f"rtsp://{HIDDEN}"),
        ("rtsp://user:secret/x", f"rtsp://{HIDDEN}"),
        ("secret://10.0.0.7/x", f"{HIDDEN}://10.0.0.7"),
        ("/dev/video0", "/dev/video0"),
        ("/dev/disk/by-label/secret", "file"),
        ("/home/somebody/clip.mp4", "file"),
        ("/home/somebody/pictures/", "folder"),
        ("", "file"),
    ],
)
def test_a_source_is_shown_without_what_nobody_may_read(source: str, shown: str) -> None:
    """Scheme and host stay; credentials, path and query do not, even where the address is ambiguous."""
    assert shown == redact(source)


@given(password=st.text(st.characters(codec="utf-8"), min_size=1), path=st.text(max_size=20))
def test_no_password_is_shown(password: str, path: str) -> None:
    """Whatever a password is made of, the host is all that may remain."""
    assert redact(f"rtsp://operator:{password}@10.0.0.7/{path}") in {"rtsp://10.0.0.7", f"rtsp://{HIDDEN}"}


@pytest.mark.parametrize(
    ("source", "port"), [("rtsp://a/x", 554), ("rtsp://u:p@a:8554/x", 8554), ("rtsp://a:seven/x", 554)]
)
def test_the_port_is_read_off_the_address(source: str, port: int) -> None:
    """Nonsense is the default, for the decoder may connect to one port only."""
    assert port == port_of(source, 554)
