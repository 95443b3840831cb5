"""Writers that commit and roll back, and a killer that spares nobody: the ledger run's two sides."""
import random
import threading
import time
import uuid

import grpc
import psycopg

from tests.e2e.conftest import Person
from tests.support.api import Auth, Refused
from tests.support.observe import messages

VICTIMS = ("relay", "otp", "kafka", "postgres")
KEYS = 24
LIVES = 8  # at once: the whole way from a call to a phone is up for moments only, so most of them wait
PATIENCE = 30  # seconds for each step of a life: some codes never come, as an unknown outcome is not tried again
PAUSE = 0.2  # seconds between two tries: what is refused at once must not take the processor from what starts
AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class Writers:
    """Commit and roll back events of some keys until stopped, each key's numbered without a gap. Errors are
    expected: the server dies under them."""

    def __init__(self, database, seed, prefix="storm", writers=4, pause=0.0, long=0.02):
        self.database = database
        self.seed = seed
        self.prefix = prefix      # of the keys
        self.committed = self.rolled_back = self.interrupted = 0
        self._writers, self._pause = writers, pause   # seconds between two transactions of a writer
        self._long = long         # of all transactions: how many stay open for seconds
        self._stop = threading.Event()
        self._over = 0  # when it was stopped
        self._lock = threading.Lock()
        self._threads = []

    def __enter__(self):
        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS public.storm_keys (key text PRIMARY KEY, seq bigint NOT NULL)")
            for number in range(KEYS):
                connection.execute("INSERT INTO public.storm_keys VALUES (%s, 0) ON CONFLICT DO NOTHING",
                                   (f"{self.prefix}-{number}",))
        for number in range(self._writers):
            self._launch(self._write_events, number)
        return self

    def __exit__(self, *_):
        self._over = time.monotonic()
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=4 * PATIENCE)

    def _launch(self, work, number):
        thread = threading.Thread(target=work, args=(random.Random(f"{self.seed}-{work.__name__}-{number}"),), daemon=True)
        thread.start()
        self._threads.append(thread)

    def _count(self, name):
        with self._lock:
            setattr(self, name, getattr(self, name) + 1)

    def _write_events(self, chance):
        while not self._stop.is_set():
            try:
                with psycopg.connect(self.database, connect_timeout=5) as connection:
                    while not self._stop.is_set():
                        self._one_transaction(connection, chance)
                        self._stop.wait(self._pause)
            except psycopg.Error:
                self._count("interrupted")
                time.sleep(0.1)

    def _one_transaction(self, connection, chance):
        keys = sorted(chance.sample(range(KEYS), chance.choice((1, 1, 1, 2, 5))))
        for number in keys:
            key = f"{self.prefix}-{number}"
            for _ in range(chance.choice((1, 1, 3, 20))):
                (seq,) = connection.execute(
                    "UPDATE public.storm_keys SET seq = seq + 1 WHERE key = %s RETURNING seq", (key,)).fetchone()
                connection.execute(
                    "INSERT INTO auth.event_log (event_id, topic, key, type, seq, payload) VALUES (%s, 'auth.log', %s, 'storm.tick', %s, %s)",
                    (uuid.UUID(int=chance.getrandbits(128), version=4), key, seq, f'{{"seq": {seq}, "pad": "{"x" * chance.randrange(400)}"}}'))
        if chance.random() < self._long:
            time.sleep(chance.uniform(1, 3))  # a long open transaction, on purpose
        if chance.random() < 0.2:
            connection.rollback()
            self._count("rolled_back")
        else:
            connection.commit()
            self._count("committed")


class Storm(Writers):
    """Writers, and people who sign up and in meanwhile."""

    def __init__(self, env, seed):
        super().__init__(env["DATABASE_URL"], seed)
        self.env = env
        self.lives = 0

    def __enter__(self):
        super().__enter__()
        for number in range(LIVES):
            self._launch(self._live_lives, number)
        return self

    def _live_lives(self, _chance):
        auth = Auth(self.env["AUTH_GRPC"], timeout=5)
        while not self._stop.is_set():
            try:
                self._live(Person(auth, self.env["TWILIO_FAKE"]))
                self._count("lives")
            except (Refused, OSError):
                self._count("interrupted")
        auth.close()

    def _live(self, person):
        self._insist(lambda: person.sign_up(first_name="Storm"))
        text = self._insist(lambda: messages(person.fake, person.phone))[0]
        self._insist(lambda: person.verify(text["code"]))
        self._insist(lambda: person.auth.RefreshToken(refresh_token=person.tokens.refresh_token))
        self._insist(lambda: person.auth.Logout(refresh_token=person.tokens.refresh_token))

    def _insist(self, step):
        """The step's answer. A life that began in the storm ends after it: then everybody has patience once more."""
        began = time.monotonic()
        while True:
            try:
                if answer := step():
                    return answer
            except Refused as refused:
                if refused.code not in AWAY:
                    raise
                self._count("interrupted")
            except OSError:
                self._count("interrupted")
            if time.monotonic() > max(began, self._over) + PATIENCE:
                raise TimeoutError
            time.sleep(PAUSE)


def kill_at_random(stack, seconds, at_least, seed):
    """kill -9 and restart of each victim again and again, each in its own thread; how often each."""
    kills = dict.fromkeys(VICTIMS, 0)
    deadline = time.monotonic() + seconds
    failures = []

    def hunt(name):
        chance = random.Random(f"{seed}-{name}")
        try:
            while time.monotonic() < deadline or kills[name] < at_least:
                time.sleep(chance.uniform(0.5, max(0.6, seconds / at_least / 2)))
                stack.part(name).kill()
                kills[name] += 1
                stack.part(name).start()
        except Exception as error:  # reported by the caller: a part that cannot come back is a finding
            failures.append(f"{name}: {error}")

    hunters = [threading.Thread(target=hunt, args=(name,)) for name in VICTIMS]
    for hunter in hunters:
        hunter.start()
    for hunter in hunters:
        hunter.join()
    assert not failures, failures
    return kills
