"""Does things side by side, each as soon as what it comes after is done."""
import threading


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
    failures = []

    def run(name):
        after, function = tasks[name]
        for earlier in after:
            if earlier in done:
                done[earlier].wait()
                if earlier in failed:
                    failed.add(name)
                    done[name].set()
                    return
        try:
            if giving_up.is_set():
                failed.add(name)
                return
            function()
        except BaseException as failure:
            failed.add(name)
            failures.append(failure)
            giving_up.set()
        finally:
            done[name].set()

    # Threads of our own: an executor that is interrupted while it makes one may lose sight of it.
    threads = [threading.Thread(target=run, args=(name,), name=f"start {name}") for name in tasks]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException:
        # A thread that has not begun yet, or never will, starts nothing and lets nobody wait for it.
        giving_up.set()
        failed.update(tasks)
        for event in done.values():
            event.set()
        for thread in threads:
            if thread.is_alive():
                thread.join()
        raise
    if failures:
        raise failures[0]
