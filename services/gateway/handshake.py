"""The upgrade, by websockets' sans-IO `ServerProtocol`. It is used for this and dropped: it would pin the request."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import NamedTuple

from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from clarion.contracts.frames import SUBPROTOCOL
from clarion.security.bearer import presented
from clarion.security.tokens import TokenError
from services.gateway.door import Refusal


class Answer(NamedTuple):
    """`token` is None unless the upgrade was accepted."""

    response: bytes
    token: str | TokenError | None


def answer(data: bytes, refusal: Callable[[Request], Refusal | None]) -> Answer:
    """Answer an upgrade request, which is all there, unless `refusal` has a reason not to."""
    protocol = _Upgrade()
    try:
        protocol.receive_data(data)
        token = _decide(protocol, refusal)
        return Answer(b"".join(protocol.data_to_send()), token)
    finally:
        protocol.parser.close()  # it holds its protocol, with the token in it, until the garbage collector comes


def _decide(protocol: ServerProtocol, refusal: Callable[[Request], Refusal | None]) -> str | TokenError | None:
    for request in protocol.events_received():
        assert isinstance(request, Request)
        refused = refusal(request)
        response = protocol.reject(refused.status, f"{refused.detail}\n") if refused else protocol.accept(request)
        if refused and refused.retry_after_s is not None:
            response.headers["Retry-After"] = str(refused.retry_after_s)
        protocol.send_response(response)
        if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            return _token(request)
    return None


class _Upgrade(ServerProtocol):
    # a method, not the argument of that name, which would bind it to itself: one more thing to collect
    def select_subprotocol(self, subprotocols: Sequence[Subprotocol]) -> Subprotocol | None:
        """Header-only clients may offer none; then none is selected."""
        return Subprotocol(SUBPROTOCOL) if SUBPROTOCOL in subprotocols else None


def _token(request: Request) -> str | TokenError:
    headers = request.headers
    _, _, query = request.path.partition("?")
    try:
        return presented(headers.get("Authorization", ""), headers.get_all("Sec-WebSocket-Protocol"), query)
    except TokenError as error:
        return error
