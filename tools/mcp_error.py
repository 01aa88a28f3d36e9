"""What goes wrong with an MCP server, apart from the SDK so that it need not be installed."""


class ServerError(Exception):
    """The server failed, or is gone; the message may be shown to a model."""


class RefusedError(ServerError):
    """The server is well, and says that the call failed."""
