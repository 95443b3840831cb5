"""Our relay beside Debezium in three profiles: the same PostgreSQL, Kafka, load and checker, in turn, in one run.

Pieces: `drain`, a backlog of one-row transactions; `live`, commit to Kafka and CPU at 500 events a second; `restart`,
kill -9 at 500 events a second. Writes bench/results/relay_vs_debezium_*.json; --short writes nothing, since one short
round is no figure. Everything else is below .run/bench; nothing is left running, Ctrl-C included.
"""
import argparse
import contextlib
import os
import sys
import time

from bench import debezium_profiles, debezium_worker, frame, handover, relay_pieces
from bench import relay_vs_debezium_figures as figures
from bench.relay_contenders import Debezium, Ours, copy_of_our_slot, caught_up
from deploy.dev.process import StackError

PIECES = ("drain", "live", "restart")
WARM_EVENTS = 200_000   # through every JVM before anything is timed
EVENTS = 100_000
SECONDS = 12
RESTART_AFTER = 4       # seconds of load before a kill
SHORT = {"rounds": 1, "seconds": 2, "events": 2_000, "warm_events": 2_000}


class Match:
    """One stack, our relay and the workers on it, and what each piece needs around it."""

    def __init__(self, stack, levels, profiles):
        self.stack = stack
        self.env = stack.variables()
        self.ours = [Ours(stack, level) for level in levels]
        self.theirs = [Debezium(stack, profile) for profile in profiles]
        self._pieces = 0

    def drains(self, events, turn):
        """All drain one backlog, but our further levels: what our relay has relayed once it leaves out ever after."""
        found, (first, *others) = {}, self.ours
        slots = {contender: copy_of_our_slot(self.env["DATABASE_URL"], f"drain_{turn}_{contender.name}") for contender in self.theirs}
        backlog = self._backlog(events)
        for contender in rotated([first, *self.theirs], turn):
            found[contender.name] = self._piece(relay_pieces.drain, contender, backlog, slots.get(contender))
        for contender in others:
            found[contender.name] = self._piece(relay_pieces.drain, contender, self._backlog(events), None)
        return found

    def lives(self, seconds, turn):
        return {contender.name: self._piece(relay_pieces.live, contender, seconds) for contender in rotated(self._all(), turn)}

    def restarts(self, turn):
        return {contender.name: self._piece(relay_pieces.restart, contender, RESTART_AFTER) for contender in rotated(self._all(), turn)}

    def _all(self):
        return [*self.ours, *self.theirs]

    def _backlog(self, events):
        first = relay_pieces.last_id(self.env["DATABASE_URL"])
        relay_pieces.write_backlog(self.env["DATABASE_URL"], events)
        return relay_pieces.written_since(self.env["DATABASE_URL"], first)

    def _piece(self, piece, contender, *arguments):
        self._pieces += 1
        topic = contender.make_topic(f"bench.{contender.name}.{self._pieces}")
        found = piece(contender, self.env, topic, *arguments)
        contender.drop_topic(topic)
        say(f"  {contender.name:<14}{shown(found)}")
        return found


@contextlib.contextmanager
def match(seconds, levels, profiles):
    """Everything is up; our relay waits until it is its turn. A level that this binary does not know is left out."""
    debezium_worker.jars()
    say("starting PostgreSQL, Kafka and our relay")
    with frame.running(seconds, only=handover.PARTS) as context, contextlib.ExitStack() as ending:
        caught_up(context.stack.variables()["DATABASE_URL"])
        found = Match(context.stack, known(context.stack, levels), profiles)
        context.stack.part("relay").stop()
        say(f"starting {len(found.theirs)} Connect workers with Debezium")
        workers = [contender.part for contender in found.theirs]
        ending.callback(stop, workers)
        for worker in workers:
            worker.spawn()
        for worker in workers:
            worker.wait_ready()
        yield found


def stop(workers):
    """All at once: a JVM takes its time."""
    for worker in workers:
        worker.signal_stop()
    for worker in workers:
        worker.wait_stopped()


def known(stack, levels):
    kept = []
    for level in levels:
        if refusal := Ours(stack, level).refusal():
            say(f"skipping our level {level}: this countersign-relay refuses it: {refusal}")
        else:
            kept.append(level)
    if not kept or kept[0] != figures.OURS:
        raise StackError(f"our level {figures.OURS} is what the figures are about; it must come first")
    return kept


def measure(plan):
    """Yields (figure, values, detail) of each piece of the plan when its rounds are done."""
    machine = {"cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 1), "warm_events": plan.warm_events}
    rate = handover.PER_SECOND
    with match(plan.seconds, plan.levels, plan.profiles) as arena:
        say(f"warming up: every relay drains {plan.warm_events} events")
        arena.drains(plan.warm_events, 0)
        pieces = {   # restarts come last: they make the JVMs cold
            "drain": (f"draining {plan.events} events", lambda turn: arena.drains(plan.events, turn)),
            "live": (f"{rate} events a second for {plan.seconds:g} s each", lambda turn: arena.lives(plan.seconds, turn)),
            "restart": (f"kill -9 at {rate} events a second", arena.restarts),
        }
        for piece in (piece for piece in PIECES if piece in (plan.only or PIECES)):
            what, one_round = pieces[piece]
            rounds, count = [], plan.restarts if piece == "restart" and plan.restarts else plan.rounds
            for turn in range(1, count + 1):
                say(f"{piece}, round {turn} of {count}: {what}")
                rounds.append(one_round(turn))
            for figure, values, detail in figures.results(piece, rounds, plan.profiles):
                yield figure, values, {**machine, **({"backlog": plan.events} if piece == "drain" else {"per_second": rate}), **detail}


def run_all(rounds, seconds):
    """For bench/run.py."""
    return measure(plan_of(["--rounds", str(rounds), "--seconds", str(max(seconds, SECONDS))]))


def rotated(contenders, turn):
    """Everyone is first once: what a piece leaves behind is nobody's burden."""
    start = turn % len(contenders)
    return contenders[start:] + contenders[:start]


def shown(found):
    return ", ".join(f"{key} {value:.1f}" if isinstance(value, float) else f"{key} {value}" for key, value in found.items())


def say(text):
    print(f"bench-debezium: {text}", flush=True)


def plan_of(words):
    parser = argparse.ArgumentParser(prog="bench.relay_vs_debezium", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="one round with a small backlog: that it runs, not how fast it is")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--restarts", type=int, help="rounds of kill -9; as many as --rounds unless said")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of counted live load")
    parser.add_argument("--events", type=int, default=EVENTS, help="of a backlog")
    parser.add_argument("--warm-events", type=int, default=WARM_EVENTS, help="through every relay before anything is timed")
    parser.add_argument("--only", action="append", choices=PIECES, help="one piece; may be given again")
    parser.add_argument("--levels", type=names, default=[figures.OURS, figures.STRONGEST],
                        help="of our relay, comma separated; one that it does not know is skipped")
    parser.add_argument("--profiles", type=names, default=list(debezium_profiles.NAMES), help="of Debezium, comma separated; tuned is needed")
    plan = parser.parse_args(words)
    if figures.TUNED not in plan.profiles or set(plan.profiles) - set(debezium_profiles.NAMES):
        parser.error(f"--profiles: some of {', '.join(debezium_profiles.NAMES)}, and {figures.TUNED} among them")
    if plan.short:
        vars(plan).update(SHORT)
    return plan


def names(text):
    return text.split(",")


def main(words=None):
    plan = plan_of(words)
    began, results = time.monotonic(), []
    try:
        for figure, values, detail in measure(plan):
            results.append(frame.result_of(figure, values, detail) if plan.short else frame.write(figure, values, detail))
    except (RuntimeError, AssertionError) as error:   # of the stack, of a piece, of a wait
        print(f"bench-debezium: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench-debezium: interrupted; everything is stopped", file=sys.stderr)
        return 130
    finally:
        if results:   # also of a run that broke off later
            print("\n".join([frame.HEADINGS, *map(frame.row, results)]), flush=True)
    say(f"took {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
