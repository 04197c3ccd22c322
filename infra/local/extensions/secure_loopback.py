"""Gap: with AUTH=true, TLS-only bucket policies (`aws:SecureTransport`) deny requests over plain HTTP.

That is right, and AWS serves nothing else; but here there is no network between caller and emulator, so requests from
this machine count as TLS. Upstream: app.py, `pin_request_origin(ip, x-forwarded-proto == "https")`.
"""

import ministack.app
from patching import replace

LOOPBACK = ("127.0.0.1", "::1")


def apply():
    replace(ministack.app, "pin_request_origin", ("source_ip", "secure_transport"), _secure)


def _secure(original):
    return lambda ip, secure: original(ip, secure or ip in LOOPBACK)
