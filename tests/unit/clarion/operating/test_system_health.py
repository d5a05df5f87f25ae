from clarion.operating.processes import ProcessView
from clarion.operating.system_health import NEEDED, USED, RoleHealth, overall


def view(role: str, status: str = "ok", *reasons: str, ready: bool = True) -> ProcessView:
    service = role if role in ("ingest", "gateway") else f"stream-{role}"
    unready = () if ready else ("starting",)
    return ProcessView(role, f"http://{role}:9400", service, status, list(reasons), unready)


def silent(role: str) -> ProcessView:
    return ProcessView(role, f"http://{role}:9400", errors=["/health: refused"])


def all_but(*roles: str) -> list[ProcessView]:
    return [view(role) for role in (*NEEDED, *USED) if role not in roles]


def test_a_system_whose_processes_are_ok_is_ok() -> None:
    found = overall(all_but())
    assert (found.status, found.reasons) == ("ok", [])
    assert found.roles["urgent"] == RoleHealth(1, 1)


def test_a_needed_role_without_a_ready_process_fails_the_system() -> None:
    for role in NEEDED:
        for lacking in (silent(role), view(role, "degraded", "starting", ready=False)):
            found = overall([*all_but(role), lacking])
            assert found.status == "failing"
            assert found.reasons[0] == f"no process of the role {role} is ready"


def test_another_role_without_a_ready_process_degrades_it() -> None:
    for role in USED:
        found = overall([*all_but(role), silent(role)])
        assert found.status == "degraded"
        assert found.reasons[0] == f"no process of the role {role} is ready"


def test_one_ready_process_of_a_role_is_enough_not_to_fail() -> None:
    found = overall([*all_but(), silent("gateway")])
    assert found.status == "degraded"
    assert found.reasons == ["gateway at gateway:9400: no answer (/health: refused)"]


def test_a_process_that_answers_in_part_degrades_it() -> None:
    late = ProcessView("gateway-2", "http://b:9400", "gateway", "ok", [], (), errors=["/metrics: no answer within 3 s"])
    found = overall([*all_but(), late])
    assert (found.status, found.reasons) == ("degraded", ["gateway-2 at b:9400: /metrics: no answer within 3 s"])


def test_a_reason_of_many_processes_is_told_once() -> None:
    found = overall([view(role, "degraded", "kafka is down: no broker answers") for role in (*NEEDED, *USED)])
    assert found.status == "degraded"
    assert len(found.reasons) == 1
    assert found.reasons[0].endswith("and 4 more: kafka is down: no broker answers")


def test_roles_that_are_not_named_are_not_known_to_be_well() -> None:
    assert overall(all_but("low")).status == "degraded"
    found = overall([])
    assert found.status == "degraded"
    assert "gateway" in found.reasons[0]
