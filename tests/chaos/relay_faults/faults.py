"""The registry of faults: each is a function that breaks something under load and says what it saw happen."""
import dataclasses
import typing

# Where the relay reads topics: beside its own 64 MiB what the client fetches ahead, at most 64 MiB, and the ids.
READING = 160
# With a full queue: kafka.queue counts 16 MiB of keys, values and headers, which take the client several times as much.
FULL_QUEUE = 160
NEVER, QUEUE = "never", "at most the queue"   # duplicates of one id


@dataclasses.dataclass(frozen=True)
class Happened:
    """evidence: by what the fault was seen; lifted: when it was over, in seconds since 1970."""
    evidence: str
    lifted: float


class NotRun(Exception):
    """This machine cannot show it; says why."""


@dataclasses.dataclass(frozen=True)
class Fault:
    name: str
    group: str
    what: str
    run: typing.Callable
    short: bool = False           # part of `make test`
    duplicates: str = NEVER       # with delivery: deduplicated
    prepare: typing.Callable = None   # before the row's window opens and its load begins
    idle: bool = False            # without the usual load
    settle_seconds: int = 120
    peak_mib: int = 64            # bound of the relay's memory
    unlike: tuple = ()            # levels that promise something else for it
    only: tuple = ()              # the levels that have such a moment; none: all


FAULTS = []


def fault(name, what, group, **options):
    """Registers a function of the field that returns Happened."""
    def register(function):
        FAULTS.append(Fault(name, group, what, function, **options))
        return function
    return register
