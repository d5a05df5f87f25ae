"""Makes the AsyncAPI 3.0 document of the client protocol from the structs of its frames."""

import typing
from typing import Any, Final

import msgspec

import clarion
from clarion.contracts import limits
from clarion.contracts.api import frames, streams
from clarion.contracts.api.close_codes import REFRESH_ON, RETURN_ON, Close
from clarion.web.bodies import JSON
from clarion.web.openapi import schema_of_any

_SOCKET: Final = "#/channels/socket"
_TEXT: Final = f"""\
Text frames of at most {limits.FRAME_BYTES} bytes, each a JSON object whose `op` names its kind. A client first sends
`resume`, within {limits.RESUME_GRACE_S} s, or is taken for a fresh one; the answer is `hello`. One `ack` acknowledges
all that was sent up to its `tag`. A client answers `ping` with `pong` within {limits.PONG_S:.0f} s. Clients that cannot
have a socket get the same frames from `{streams.PATH}` (`/openapi.json`).

The close codes: """


def document() -> dict[str, Any]:
    """Return the document, to be encoded as JSON."""
    from_clients, to_clients = typing.get_args(frames.ClientFrame), typing.get_args(frames.ServerFrame)
    kinds = [*from_clients, *to_clients]
    (*references, item), schemas = msgspec.json.schema_components(
        [*kinds, frames.Received], ref_template="#/components/schemas/{name}", schema_hook=schema_of_any
    )
    # msgspec cannot tell these two: items travel as bytes that a lane has encoded, and keys of a mapping have no schema
    schemas["Batch"]["properties"]["items"]["items"] = item
    schemas["Resume"]["properties"]["cursors"]["propertyNames"] = {"$ref": "#/components/schemas/Lane"}
    messages = {_op(kind): _message(kind, payload) for kind, payload in zip(kinds, references, strict=True)}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Clarion client protocol", "version": clarion.__version__},
        "defaultContentType": JSON,
        "servers": {
            "gateway": {
                "host": "{host}",
                "pathname": "{prefix}",
                "protocol": "wss",
                "variables": {
                    "host": {
                        "default": "localhost",
                        "description": "The address of any gateway, since all serve alike.",
                    },
                    "prefix": {"default": "", "description": "The path below which a proxy has it, such as /notify."},
                },
                "security": [{"$ref": "#/components/securitySchemes/bearer"}],
            }
        },
        "channels": {
            "socket": {
                "address": "/v1/ws",
                "title": f"Subprotocol `{frames.SUBPROTOCOL}`",
                "description": _TEXT + "; ".join(_verdict(code) for code in Close) + ".",
                "messages": {op: {"$ref": f"#/components/messages/{op}"} for op in messages},
                "bindings": {"ws": {"method": "GET"}},
            }
        },
        "operations": {
            "receive": _operation("receive", "The frames that a client sends.", from_clients),
            "send": _operation("send", "The frames that a gateway sends.", to_clients),
        },
        "components": {
            "schemas": schemas,
            "messages": messages,
            "securitySchemes": {
                "bearer": {
                    "type": "httpApiKey",
                    "in": "header",
                    "name": "Sec-WebSocket-Protocol",
                    "description": f"`{frames.SUBPROTOCOL}, {frames.BEARER_PREFIX}<JWT with the scope subscribe>`; "
                    "or the Authorization header, if the client can set it.",
                }
            },
        },
    }


def _op(kind: type[msgspec.Struct]) -> str:
    """Return the `op` of a frame."""
    return str(kind.__struct_config__.tag)


def _message(kind: type[msgspec.Struct], payload: dict[str, Any]) -> dict[str, Any]:
    return {"name": _op(kind), "title": kind.__name__, "payload": payload}


def _operation(action: str, text: str, kinds: tuple[type[msgspec.Struct], ...]) -> dict[str, Any]:
    messages = [{"$ref": f"{_SOCKET}/messages/{_op(kind)}"} for kind in kinds]
    return {"action": action, "summary": text, "channel": {"$ref": _SOCKET}, "messages": messages}


def _verdict(code: Close) -> str:
    """Return a close code with its name, and whether a client returns after it."""
    after = "return" if code in RETURN_ON else "return with a fresh token" if code in REFRESH_ON else "do not return"
    return f"{code.value} {code.name.lower().replace('_', ' ')} ({after})"
