"""
A real RTSP server on loopback: serves a clip of H.264 under /camera, to each reader from its beginning, at its pace.

Run by the system's Python, which has the bindings; not imported by the tests:

    /usr/bin/python3 rtsp_server.py PORT CLIP [USER PASSWORD]
"""

import sys
from importlib import import_module

gi = import_module("gi")  # by name, because the versions must be chosen between the imports
for library in ("Gst", "GstRtsp", "GstRtspServer"):
    gi.require_version(library, "1.0")
GLib, Gst, GstRtsp, GstRtspServer = (
    import_module(f"gi.repository.{library}") for library in ("GLib", "Gst", "GstRtsp", "GstRtspServer")
)

port, clip, *credentials = sys.argv[1:]
Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(port)
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(f'( filesrc location="{clip}" ! parsebin ! rtph264pay name=pay0 pt=96 config-interval=1 )')
if credentials:
    user, password = credentials
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("viewer", "media.factory.access", True)  # noqa: FBT003 - a foreign signature
    permissions.add_permission_for_role("viewer", "media.factory.construct", True)  # noqa: FBT003 - likewise
    factory.set_permissions(permissions)
server.get_mount_points().add_factory("/camera", factory)
server.attach(None)
GLib.MainLoop().run()
