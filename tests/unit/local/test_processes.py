"""The processes of the local stack: their ports, and which servers are not its own."""

from deploy.local import processes


def test_every_process_has_ports_of_its_own() -> None:
    specs = processes.services(gateways=2)
    wanted = processes.wanted_ports(specs)
    usual = [port for port in wanted.values() if port]
    assert len(usual) == len(set(usual))
    assert {spec.name for spec in specs} >= {"ingest", "urgent", "high", "normal", "low", "receipts", "scheduler"}
    assert wanted["gateway-1"] == 8081


def test_servers_that_the_stack_would_not_start_are_outside() -> None:
    own = {"CLARION_KAFKA": "127.0.0.1:9092", "CLARION_MONGODB": "mongodb://127.0.0.1:27017/"}
    assert processes.outside(own, {}) == {}
    assert processes.outside(own, own) == {}
    assert processes.outside(own, own | {"CLARION_KAFKA": "kafka:9092"}) == {"CLARION_KAFKA": "kafka:9092"}
