"""Kafka's ACLs: which there are, which are missing, and creating or deleting them. aiokafka declares the requests."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import for_code
from aiokafka.protocol.admin import CreateAclsRequest_v1, DeleteAclsRequest_v1, DescribeAclsRequest
from aiokafka.protocol.api import Request

from clarion.operating.access.roles import Grant, Role

_ANY: Final = 1
_ALLOW: Final = 3
_LITERAL: Final = 3
_PREFIXED: Final = 4
_RESOURCES: Final = {"topic": 2, "group": 3, "cluster": 4}
_OPERATIONS: Final = {"READ": 3, "WRITE": 4, "CREATE": 5, "ALTER": 7, "DESCRIBE": 8, "DESCRIBE_CONFIGS": 10}
_EVERYWHERE: Final = "*"  # from which addresses: the brokers' network decides that


class Acl(NamedTuple):
    """What `principal` is allowed, in Kafka's numbers. Its order is that of the fields in requests."""

    resource: int
    name: str
    pattern: int
    principal: str
    host: str
    operation: int
    permission: int = _ALLOW

    def __str__(self) -> str:
        resource = _name(_RESOURCES, self.resource)
        return f"{self.principal} may {_name(_OPERATIONS, self.operation)} the {resource} {self.name}" + (
            "*" if self.pattern == _PREFIXED else ""
        )


class Difference(NamedTuple):
    """What is missing of the ACLs that roles need, and what their principals have beyond it."""

    missing: list[Acl]
    unneeded: list[Acl]


def wanted(roles: Iterable[Role], users: Mapping[str, str]) -> list[Acl]:
    """Return the ACLs of `roles`, each for its user, by the names of roles."""
    return [_acl(grant, f"User:{users[role.name]}") for role in roles for grant in role.kafka]


def _acl(grant: Grant, principal: str) -> Acl:
    pattern = _PREFIXED if grant.name.endswith("*") else _LITERAL
    name, operation = grant.name.removesuffix("*"), _OPERATIONS[grant.operation]
    return Acl(_RESOURCES[grant.resource], name, pattern, principal, _EVERYWHERE, operation)


async def compare(admin: AIOKafkaAdminClient, needed: Sequence[Acl]) -> Difference:
    """Return how the brokers' ACLs of these principals differ. Raises one of `clients.SEND_ERRORS`.

    Where the brokers have no authorizer, that is a `SecurityDisabled`.
    """
    there: set[Acl] = set()
    for principal in dict.fromkeys(acl.principal for acl in needed):
        there |= await _of(admin, principal)
    return Difference([acl for acl in needed if acl not in there], sorted(there - set(needed)))


async def _of(admin: AIOKafkaAdminClient, principal: str) -> set[Acl]:
    answer: Any = await admin._send_request(DescribeAclsRequest(_ANY, None, _ANY, principal, None, _ANY, _ANY))  # type: ignore[arg-type]
    if answer.error_code:
        raise for_code(answer.error_code)(answer.error_message)
    return {Acl(resource, name, pattern, *acl) for resource, name, pattern, acls in answer.resources for acl in acls}


class _CreateAcls(Request[CreateAclsRequest_v1]):
    """Creates several at once; aiokafka's own request creates one."""

    API_KEY = 30

    def __init__(self, acls: Sequence[Acl]) -> None:
        self._acls = [tuple(acl) for acl in acls]

    def build(self, request_struct_class: type[CreateAclsRequest_v1]) -> CreateAclsRequest_v1:
        return request_struct_class(self._acls)


class _DeleteAcls(Request[DeleteAclsRequest_v1]):
    API_KEY = 31

    def __init__(self, acls: Sequence[Acl]) -> None:
        self._acls = [tuple(acl) for acl in acls]

    def build(self, request_struct_class: type[DeleteAclsRequest_v1]) -> DeleteAclsRequest_v1:
        return request_struct_class(self._acls)


async def create(admin: AIOKafkaAdminClient, acls: Sequence[Acl]) -> None:
    """Create ACLs; those that exist stay as they are. Raises one of `clients.SEND_ERRORS`."""
    if acls:
        answer: Any = await admin._send_request(_CreateAcls(acls))
        _check(answer.creation_responses)


async def delete(admin: AIOKafkaAdminClient, acls: Sequence[Acl]) -> None:
    """Delete these ACLs and no others. Raises one of `clients.SEND_ERRORS`."""
    if acls:
        answer: Any = await admin._send_request(_DeleteAcls(acls))
        _check(answer.filter_responses)


def _check(answers: Iterable[Any]) -> None:
    for code, message, *_ in answers:
        if code:
            raise for_code(code)(message)


def _name(numbers: Mapping[str, int], number: int) -> str:
    return next((name for name, one in numbers.items() if one == number), f"(operation {number})")
