"""A process counts as gone only when nothing of it is left that could hold a port."""
import pathlib
import sys
import time

from deploy.dev.process import Process

# x86-64 and arm64 number the call that ends one thread differently.
ENDS_ITS_FIRST_THREAD = """
import ctypes, platform, threading, time
threading.Thread(target=time.sleep, args=(60,)).start()
ctypes.CDLL(None).syscall(60 if platform.machine() == "x86_64" else 93, 0)
"""


def test_a_program_whose_first_thread_has_ended_still_runs(tmp_path):
    process = Process("victim", tmp_path)
    process.start([sys.executable, "-c", ENDS_ITS_FIRST_THREAD])
    try:
        status = pathlib.Path(f"/proc/{process.pid}/stat")
        deadline = time.monotonic() + 10
        while status.read_text().rsplit(")", 1)[1].split()[0] != "Z" and time.monotonic() < deadline:
            time.sleep(0.01)
        assert status.read_text().rsplit(")", 1)[1].split()[0] == "Z"
        assert process.running()
    finally:
        process.kill()
    assert not process.running()
