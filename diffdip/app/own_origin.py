"""Requests from pages of other origins are refused, whatever their port."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any


Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class OwnOrigin:
    """ASGI middleware: a browser that says where a request is from must name this server.

    Streamlit accepts pages of localhost with any port, so those of every other local program.
    """

    def __init__(self, app: Callable[[Message, Receive, Send], Awaitable[None]]):
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        headers = dict(scope.get("headers", ()))  # their names are in lower case
        origin = headers.get(b"origin")
        if origin is None or origin == b"http://" + headers.get(b"host", b""):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await send({"type": "http.response.start", "status": 403, "headers": []})
            await send({"type": "http.response.body", "body": b""})
