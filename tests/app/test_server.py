"""How `runfold serve` puts a node together."""

import socket
from pathlib import Path

import pytest

from app import server
from app.nodes.node import Node
from app.service import Service
from app.settings import Settings


class Stopping:
    """A server that is asked to stop as soon as it serves; it notes how the follower was set by then."""

    read_elsewhere: list[bool]

    def __init__(self, _: object, node: Node) -> None:
        self._node = node

    async def serve(self, sockets: list[socket.socket]) -> None:
        for each in sockets:
            each.close()
        writer = self._node.reader
        assert isinstance(writer, Service)
        self.read_elsewhere.append(writer.follower.is_read_elsewhere)


@pytest.mark.parametrize(("node_url", "is_read_elsewhere"), [(None, False), ("http://10.0.0.7:7650", True)])
def test_rows_are_not_kept_waiting_where_other_nodes_find_this_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, node_url: str | None, *, is_read_elsewhere: bool
) -> None:
    noted = Stopping.read_elsewhere = []
    monkeypatch.setattr(server, "_Server", Stopping)
    file = f"sqlite:///{tmp_path / 'ledger.db'}"

    server.serve(Settings(database_url=file, port=0, node_url=node_url, secret_key="tr_dev_0123456789abcdef"))

    assert noted == [is_read_elsewhere]
