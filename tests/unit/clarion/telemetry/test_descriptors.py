"""When file descriptors are short: who is refused, and what is said of it."""

from structlog.testing import capture_logs

from clarion.telemetry.descriptors import Descriptors

SIZE = 256


class Process:
    """Has 30 files of its own besides the door's connections."""

    def __init__(self) -> None:
        self.connections: set[int] = set()
        self.now = 0.0
        self.most = SIZE
        self.files = Descriptors(lambda: 30 + len(self.connections), lambda: self.most, lambda: self.now)

    def connect(self) -> bool:
        number = len(self.connections)
        self.connections.add(number)
        if self.files.has_room(self.connections):
            return True
        self.connections.discard(number)
        return False


def test_connections_leave_files_for_the_admin_port_and_servers() -> None:
    process = Process()
    assert sum(process.connect() for _ in range(400)) == SIZE - 64 - 30
    process.files.look()
    assert not process.connect()
    process.connections.clear()
    assert process.connect()


def test_a_shortage_is_told_once_and_ends_when_none_is_refused() -> None:
    process = Process()
    assert process.files.shortage() == ""
    with capture_logs() as logs:
        for _ in range(400):
            process.connect()
        process.now += 29
        process.connect()
        process.files.look()
        assert "of 256 are open" in process.files.shortage()
        assert "ulimit -n" in process.files.shortage()
        assert [log["log_level"] for log in logs] == ["warning"]
        process.now += 31
        process.files.look()
        assert process.files.shortage() == ""
    assert [log["log_level"] for log in logs] == ["warning", "info"]


def test_a_limit_that_is_raised_counts_from_the_next_look() -> None:
    process = Process()
    while process.connect():
        pass
    process.most = 1_024
    process.files.look()
    assert process.connect()
