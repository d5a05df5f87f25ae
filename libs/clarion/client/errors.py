"""The exceptions of the SDK.

ClientError
├── NotOpen             the object is closed, not open yet, or in use in another event loop
├── RequestError        raised by publishing and by the inbox
│   ├── Refused         never accepted as it is: `problem` names the fields
│   └── Unavailable     not accepted within the deadline; it may still have been taken
└── SubscribeError      raised by a subscriber
    ├── TokenRefused    the server refuses the token, and a new one as well
    ├── Forbidden       the user may not subscribe
    ├── Disconnected    the connection ended with a close code after which a client must not return
    ├── NotConnected    a mark found no connection in time
    └── Unconfirmed     too many marks wait for the server to confirm them
"""

from typing import Final

from clarion.contracts.api.problems import Problem


class ClientError(Exception):
    """The base class of all exceptions of the SDK."""


class NotOpen(ClientError):
    """The object is not open yet, is closed, or belongs to another event loop.

    Publishing raises it as well when the publisher is closed meanwhile; the notification may still be taken.
    """


class RequestError(ClientError):
    """The base class of what publishing and the inbox raise: `Refused` and `Unavailable`."""


class Refused(RequestError):
    """The request is refused for good: it will not be accepted as it is, however often it is repeated.

    `problem` has the HTTP `status`, the `detail`, and in `errors` each wrong field with its limit:

        try:
            await publisher.publish(recipient="ann", type="call.missed", message="")
        except Refused as refused:
            for error in refused.problem.errors:
                print(error.pointer, error.detail)
    """

    def __init__(self, problem: Problem) -> None:
        fields = "; ".join(f"{error.pointer or 'body'}: {error.detail}" for error in problem.errors)
        super().__init__(f"HTTP {problem.status}: {problem.detail}" + (f" ({fields})" if fields else ""))
        self.problem: Final = problem


class Unavailable(RequestError):
    """Nothing was decided within `deadline_s`: the request may have taken effect, or may still do so.

    Repeat the call. A repeated `publish` needs the `idempotency_key` of the first call, or there may be two
    notifications. Marks and retractions may be repeated without harm.
    """


class SubscribeError(ClientError):
    """The base class of what a `Subscriber` raises.

    `TokenRefused`, `Forbidden` and `Disconnected` end the iteration: once the cause is gone, open a new `Subscriber`.
    `NotConnected` and `Unconfirmed` are raised by marks alone, and the subscriber goes on.
    """


class TokenRefused(SubscribeError):
    """The server refuses the token: the handshake was answered by 401, or the connection closed with 4401.

    With `get_token` this is raised only when a token that was just fetched is refused, too. The cause is then the
    token's issuer, audience, key or clock.
    """


class Forbidden(SubscribeError):
    """The user may not connect, for example since the token lacks the scope `subscribe`.

    The handshake was answered by 403, or the connection closed with 4403.
    """


class Disconnected(SubscribeError):
    """The two sides do not understand each other, and a new connection would end the same way.

    The connection closed with a code such as 4400, 1002, 1003 or 1007, or the server sent more than it has credit for.
    Check that `url` is a gateway's, and that the SDK is not older than the gateway.
    """


class NotConnected(SubscribeError):
    """A mark (`read`, `unread`, `archive`) found no connection within 10 seconds; repeat it later."""


class Unconfirmed(SubscribeError):
    """A mark waited 10 seconds for room: 1,000 marks already wait for the server to confirm them. Repeat it later."""
