"""Nobody waits longer than a tenth of a second for a row that somebody else holds."""
import contextlib
import os
import re
import socket
import subprocess
import threading
import urllib.parse

import pytest

from deploy.dev.configuration import yaml_text
from deploy.dev.stack import ROOT
from tests.support.observe import wait_for

LIMIT_MS = 100
SSL_REQUEST = (80877103).to_bytes(4, "big")


class Eavesdropper:
    """A listener that takes down what a client says to PostgreSQL when it begins, and hangs up."""

    def __init__(self):
        self.startups = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(5)
                    self._take_down(connection)

    def _take_down(self, connection):
        while (packet := self._packet(connection)) is not None:
            if packet[:4] != SSL_REQUEST:
                self.startups.append(packet.decode(errors="replace"))
                return
            connection.sendall(b"N")

    @staticmethod
    def _packet(connection):
        stream = connection.makefile("rb")
        length = stream.read(4)
        return stream.read(int.from_bytes(length, "big") - 4) if length else None

    def close(self):
        self._listener.close()


@pytest.fixture
def eavesdropper():
    listener = Eavesdropper()
    yield listener
    listener.close()


@pytest.mark.parametrize("service", ["auth", "otp"])
def test_every_connection_of_a_service_waits_a_tenth_of_a_second_for_a_row(provisioned, eavesdropper, service, tmp_path):
    part = provisioned.server(service)
    url = urllib.parse.urlsplit(provisioned.server("postgres").url(f"countersign_{service}"))
    secret = tmp_path / "url"
    secret.touch(mode=0o600)
    secret.write_text(url._replace(netloc=f"{url.username}:{url.password}@127.0.0.1:{eavesdropper.port}").geturl())
    file = tmp_path / "config.yaml"
    file.write_text(yaml_text({**part.keys(), "metrics.listen": "127.0.0.1:0", "grpc.listen": "127.0.0.1:0"}))
    environment = {**os.environ, **{name: str(path) for name, path in part.secret_files().items()},
                   f"{service.upper()}_DATABASE_URL_FILE": str(secret)}
    with subprocess.Popen([ROOT / f"build/release/bin/countersign-{service}", "--config", file], env=environment,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            # The check at the start, and then the connections that the calls will use.
            wait_for(lambda: len(eavesdropper.startups) >= 8, "its connections", 20)
        finally:
            process.kill()
    for startup in eavesdropper.startups:
        limit = re.search(r"-c lock_timeout=(\d+)\b", startup)
        assert limit and 0 < int(limit[1]) <= LIMIT_MS, startup
