"""Does things side by side, each as soon as what it comes after is done."""
import concurrent.futures
import threading


class Skipped(Exception):
    """What it comes after has failed."""


def run_in_order(tasks, giving_up):
    """Runs the tasks, each in a thread: name -> (names it comes after, function). Names that are no
    task count as done.

    At the first failure `giving_up` is set, which running tasks should heed; when all have ended, the
    failure is raised. An interrupt of the caller is such a failure.
    """
    if not tasks:
        return
    done = {name: threading.Event() for name in tasks}
    failed = set()

    def run(name):
        after, function = tasks[name]
        for earlier in after:
            if earlier in done:
                done[earlier].wait()
                if earlier in failed:
                    failed.add(name)
                    done[name].set()
                    raise Skipped()
        try:
            if giving_up.is_set():
                raise Skipped()
            function()
        except BaseException:
            failed.add(name)
            giving_up.set()
            raise
        finally:
            done[name].set()

    with concurrent.futures.ThreadPoolExecutor(max_workers=len(tasks)) as threads:
        running = [threads.submit(run, name) for name in tasks]
        try:
            failures = [future.exception() for future in concurrent.futures.as_completed(running)]
        except BaseException:
            giving_up.set()
            raise
    causes = [failure for failure in failures if failure and not isinstance(failure, Skipped)]
    if causes:
        raise causes[0]
