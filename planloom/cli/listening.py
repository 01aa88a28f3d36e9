"""A socket to serve on."""

import os
import socket

from planloom.core.errors import ConfigError, Problem


def listen_at(host: str, port: int) -> socket.socket:
    """Open a socket.

    Raises:
        ConfigError: Nothing can listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        server = socket.create_server((host, port), family=family)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted connections inherit it
        return server
    except OSError as exc:
        reason = os.strerror(exc.errno) if exc.errno and exc.errno > 0 else exc.strerror
        raise ConfigError("command line", [Problem(f"cannot listen on {host}:{port}: {reason}", "--port")]) from exc
