"""One HTTP exchange over the broker's client. Importing this puts the plugin into the lane of plugins that may wait."""

from wit_world.imports import http as _http
from wit_world.imports.http import Request, Response

__all__ = ["Request", "Response", "send"]


def send(
    method: str,
    url: str,
    body: bytes | str = b"",
    headers: list[tuple[str, str]] | None = None,
    timeout_ms: int = 5000,
) -> Response:
    """Sends and waits for the answer, whatever its status. Raises `componentize_py_types.Err` with an `http.Error` if none came."""
    data = body.encode() if isinstance(body, str) else body
    return _http.send(Request(method, url, headers or [], data, timeout_ms))
