"""The upgrade, by websockets' sans-IO `ServerProtocol`. It is used for this and dropped: it would pin the request."""

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
    """`token` is None unless the upgrade was accepted; an error, to be said after it, when it shows none."""

    response: bytes
    token: str | TokenError | None


def answer(
    data: bytes, refusal: Callable[[Request, str | TokenError], Refusal | None], origins: Collection[str]
) -> Answer:
    """Answer an upgrade request, which is all there, unless `refusal` has a reason not to.

    Why not may be read by pages of `origins`; a browser tells its page nothing of it, other clients in one do.
    """
    protocol, request = _Upgrade(), read(data)
    try:
        token = _token(request)
        response = _response(protocol, request, _unfit(request) or refusal(request, token))
        is_upgraded = response.status_code == HTTPStatus.SWITCHING_PROTOCOLS
        if not is_upgraded:
            _as_problem(response, request.headers.get_all("Origin"), origins)
        protocol.send_response(response)
        return Answer(b"".join(protocol.data_to_send()), token if is_upgraded else None)
    finally:
        protocol.parser.close()  # it holds its protocol, with the token in it, until the garbage collector comes


def read(data: bytes) -> Request:
    """What uvicorn has put together of a request that llhttp has read, so that its form is known to be good.

    websockets' own parser reads lines of 8 KiB and 128 headers; here as much may come as in any request of ours, which
    `GuardedHttp` has measured.
    """
    line, *fields = data.removesuffix(b"\r\n\r\n").decode("latin-1").split("\r\n")
    method, path, version = line.split(" ")
    headers = Headers()
    for field in fields:
        name, _, value = field.partition(":")
        headers.set_insecure(name, value.strip(" \t"))
    return Request(path, headers, method, version)


def _unfit(request: Request) -> Refusal | None:
    """An upgrade has no body: what follows it is the first frame."""
    headers = request.headers
    if "Transfer-Encoding" in headers or not set(headers.get_all("Content-Length")) <= {"0"}:
        return Refusal(HTTPStatus.BAD_REQUEST, "an upgrade has no body")
    return None


def _response(protocol: ServerProtocol, request: Request, refused: Refusal | None) -> Response:
    if refused is None:
        return protocol.accept(request)
    response = protocol.reject(refused.status, f"{refused.detail}\n")
    if refused.retry_after_s is not None:
        response.headers["Retry-After"] = str(refused.retry_after_s)
    return response


def _as_problem(response: Response, pages: Sequence[str], origins: Collection[str]) -> None:
    """A refusal, ours or of websockets, whose own is text."""
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
    # a method, not the argument of that name, which would bind it to itself: one more thing to collect
    def select_subprotocol(self, subprotocols: Sequence[Subprotocol]) -> Subprotocol | None:
        """Header-only clients may offer none; then none is selected."""
        return Subprotocol(SUBPROTOCOL) if SUBPROTOCOL in subprotocols else None


def _token(request: Request) -> str | TokenError:
    headers = request.headers
    _, _, query = request.path.partition("?")
    authorization = next(iter(headers.get_all("Authorization")), "")  # a second one is a reason to refuse
    return shown(authorization, headers.get_all("Sec-WebSocket-Protocol"), query)
