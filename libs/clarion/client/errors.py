"""What the SDK raises.

ClientError
├── NotOpen             closed, not opened yet, or of another event loop
├── RequestError        of publishing, and of the inbox
│   ├── Refused         never accepted as it is: `problem` names the fields
│   └── Unavailable     not accepted within the deadline; it may still have been taken
└── SubscribeError
    ├── TokenRefused    after one try with a refreshed token
    ├── Forbidden
    ├── Disconnected    closed with a code that does not allow to return
    ├── NotConnected    a mark found no connection in time
    └── Unconfirmed     too many marks wait for the server's word
"""

from typing import Final

from clarion.contracts.api.problems import Problem


class ClientError(Exception):
    pass


class NotOpen(ClientError):
    pass


class RequestError(ClientError):
    pass


class Refused(RequestError):
    def __init__(self, problem: Problem) -> None:
        fields = "; ".join(f"{error.pointer or 'body'}: {error.detail}" for error in problem.errors)
        super().__init__(f"{problem.status} {problem.detail}" + (f" ({fields})" if fields else ""))
        self.problem: Final = problem


class Unavailable(RequestError):
    pass


class SubscribeError(ClientError):
    pass


class TokenRefused(SubscribeError):
    pass


class Forbidden(SubscribeError):
    pass


class Disconnected(SubscribeError):
    pass


class NotConnected(SubscribeError):
    pass


class Unconfirmed(SubscribeError):
    pass
