"""The order of a start, without any process."""
import threading
import time

import pytest

from deploy.dev.configuration import flattened, yaml_text
from deploy.dev.launch import run_in_order


def test_each_task_runs_after_what_it_comes_after_and_beside_the_rest():
    ran, both = [], threading.Barrier(2, timeout=5)
    run_in_order({
        "service": (("first", "second", "not wanted"), lambda: ran.append("service")),
        "first": ((), lambda: (both.wait(), ran.append("first"))),
        "second": ((), lambda: (both.wait(), ran.append("second"))),
    }, threading.Event())
    assert ran[2] == "service" and set(ran[:2]) == {"first", "second"}


def test_a_failure_is_raised_and_what_comes_after_is_not_begun():
    ran, giving_up = [], threading.Event()

    def fail():
        raise ValueError("the server")

    with pytest.raises(ValueError, match="the server"):
        run_in_order({
            "server": ((), fail),
            "service": (("server",), lambda: ran.append("service")),
            "client": (("service",), lambda: ran.append("client")),
        }, giving_up)
    assert not ran
    assert giving_up.is_set()


def test_what_already_waits_is_told_to_give_up():
    giving_up = threading.Event()

    def fail():
        time.sleep(0.05)
        raise ValueError("the server")

    with pytest.raises(ValueError, match="the server"):
        run_in_order({"server": ((), fail), "slow": ((), lambda: giving_up.wait(30))}, giving_up)


def test_an_interrupt_while_the_threads_are_made_ends_what_was_begun(monkeypatch):
    giving_up, begun, start = threading.Event(), [], threading.Thread.start

    def interrupted(thread):
        if len(begun) == 2:
            raise KeyboardInterrupt
        begun.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_in_order({
            "server": ((), lambda: giving_up.wait(30)),
            "waits for what never begins": (("never begins",), lambda: begun.append("wrong")),
            "never begins": ((), lambda: None),
        }, giving_up)
    assert giving_up.is_set()
    assert len(begun) == 2 and not any(thread.is_alive() for thread in begun)


def test_settings_may_be_nested_or_dotted_and_none_leaves_a_key_out():
    merged = {"a.b": 1, "a.c": 2, **flattened({"a": {"b": "x: y"}, "a.c": None})}
    assert yaml_text({**merged, "list": ["p", "q"]}) == 'a:\n  b: "x: y"\nlist: ["p", "q"]\n'
