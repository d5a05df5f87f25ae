"""Answers the upgrade by websockets' sans-IO `ServerProtocol`.

That object is dropped afterwards: kept, it would keep the request in memory.
"""

from collections.abc import Callable, Collection, Sequence
from http import HTTPStatus
from typing import NamedTuple

import msgspec
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from clarion.contracts.api.frames import SUBPROTOCOL
from clarion.contracts.api.problems import MEDIA_TYPE, problem_of
from clarion.security.bearer import shown
from clarion.security.tokens import TokenError
from services.gateway.access.connection_limits import Refusal


class Answer(NamedTuple):
    """The bytes to send, and the client's token.

    `token` is None when the upgrade was refused. It is an error when it was accepted without a token; the client is
    told of that after the upgrade.
    """

    response: bytes
    token: str | TokenError | None


def answer(
    data: bytes, refusal: Callable[[Request, str | TokenError], Refusal | None], origins: Collection[str]
) -> Answer:
    """Answer a whole upgrade request: accept it, unless it is not a valid one or `refusal` returns why not.

    Pages of `origins` may read a refusal. A browser shows its page nothing of one for a WebSocket, but other clients
    that run in a browser do.
    """
    protocol, request = _Upgrade(), parse(data)
    try:
        token = _token(request)
        response = _response(protocol, request, _unfit(request) or refusal(request, token))
        is_upgraded = response.status_code == HTTPStatus.SWITCHING_PROTOCOLS
        if not is_upgraded:
            _as_problem(response, request.headers.get_all("Origin"), origins)
        protocol.send_response(response)
        return Answer(b"".join(protocol.data_to_send()), token if is_upgraded else None)
    finally:
        protocol.parser.close()  # else it keeps the protocol and the token until the garbage collector runs


def parse(data: bytes) -> Request:
    """Return the request that uvicorn has put together from what llhttp has read: its form is known to be good.

    websockets' own parser takes lines of at most 8 KiB and 128 headers. Here as much may come as in any other request,
    which `GuardedHttp` has measured.
    """
    line, *fields = data.removesuffix(b"\r\n\r\n").decode("latin-1").split("\r\n")
    method, path, version = line.split(" ")
    headers = Headers()
    for field in fields:
        name, _, value = field.partition(":")
        headers.set_insecure(name, value.strip(" \t"))
    return Request(path, headers, method, version)


def _unfit(request: Request) -> Refusal | None:
    """Refuse an upgrade with a body: the bytes after an upgrade are the first frame."""
    headers = request.headers
    if "Transfer-Encoding" in headers or not set(headers.get_all("Content-Length")) <= {"0"}:
        return Refusal(HTTPStatus.BAD_REQUEST, "an upgrade must not have a body")
    return None


def _response(protocol: ServerProtocol, request: Request, refused: Refusal | None) -> Response:
    """Return the response that accepts the upgrade, or refuses it."""
    if refused is None:
        return protocol.accept(request)
    response = protocol.reject(refused.status, f"{refused.detail}\n")
    if refused.retry_after_s is not None:
        response.headers["Retry-After"] = str(refused.retry_after_s)
    return response


def _as_problem(response: Response, pages: Sequence[str], origins: Collection[str]) -> None:
    """Make a refusal problem details (RFC 9457); what websockets refuses itself is text."""
    detail = (response.body or b"").decode(errors="replace").strip()
    response.body = msgspec.json.encode(problem_of(response.status_code, detail))
    for name, value in (("Content-Type", MEDIA_TYPE), ("Content-Length", str(len(response.body)))):
        if name in response.headers:
            del response.headers[name]
        response.headers[name] = value
    response.headers["Vary"] = "Origin"
    if len(pages) == 1 and pages[0] in origins:
        response.headers["Access-Control-Allow-Origin"] = pages[0]
        response.headers["Access-Control-Expose-Headers"] = "Retry-After"


class _Upgrade(ServerProtocol):
    # This is a method, since websockets binds the constructor's argument of that name to the object itself: a cycle
    # that only the garbage collector frees.
    def select_subprotocol(self, subprotocols: Sequence[Subprotocol]) -> Subprotocol | None:
        """Select `clarion.v1` if it is offered, else none: a client that sends its token in a header may offer none."""
        return Subprotocol(SUBPROTOCOL) if SUBPROTOCOL in subprotocols else None


def _token(request: Request) -> str | TokenError:
    """Return the token that the request shows, or the error that says why there is none."""
    headers = request.headers
    _, _, query = request.path.partition("?")
    authorization = next(iter(headers.get_all("Authorization")), "")  # a second one is refused elsewhere
    return shown(authorization, headers.get_all("Sec-WebSocket-Protocol"), query)
