"""Commits events one by one, from a thread of its own, as any service with an outbox does."""
import secrets
import threading
import time

import psycopg

INSERT = ("INSERT INTO auth.event_log (event_id, topic, key, type, seq, payload, headers) "
          "VALUES (gen_random_uuid(), 'auth.log', %s, 'test.tick', %s, '{}', '{}')")


class EventWriter:
    """Appends to topic auth.log at a steady rate while the block runs, over keys that nobody else has."""

    def __init__(self, database, per_second=500, keys=16):
        self._database = database
        self._pause = 1 / per_second
        self._run = secrets.token_hex(4)
        self._keys = keys
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self._fault = None
        self.written = 0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        if self._fault:
            raise self._fault

    def _write(self):
        try:
            with psycopg.connect(self._database, autocommit=True, prepare_threshold=1) as connection:
                due = time.monotonic()
                while not self._stop.is_set():
                    connection.execute(INSERT, (f"{self._run}-{self.written % self._keys}", self.written // self._keys + 1))
                    self.written += 1
                    due += self._pause
                    self._stop.wait(max(0, due - time.monotonic()))
        except psycopg.Error as error:
            self._fault = error
