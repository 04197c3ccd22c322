"""A small process beside the emulator that outlives it by a moment, so that nothing else does.

MiniStack leaves its Lambda workers behind when it is killed, and jobs run in process groups of their own so that a
stopped run takes its children along. The guardian holds the read end of a pipe: it sees the emulator end, however it
ended (`kill -9` included), and then kills the groups and removes the run's temporary folder.
"""

import os
import shutil
import signal
import time

_pipe = None


def start(run_dir):
    """Fork the guardian. Call before any thread exists, as the leader of a process group."""
    global _pipe
    reader, writer = os.pipe()
    leader = os.getpid()
    if os.fork() == 0:
        try:
            os.close(writer)
            _guard(reader, leader, run_dir)
        finally:
            os._exit(0)
    os.close(reader)
    _pipe = writer


def adopt():
    """Kill this process's group too when the emulator ends.

    Called in a job's process before it becomes the job: adopted by the emulator afterwards, a job would be missed that
    starts in the moment in which the emulator ends. The guardian sees no end of the pipe while this process holds it.
    """
    os.write(_pipe, f"+{os.getpid()}\n".encode())


def release(group):
    os.write(_pipe, f"-{group}\n".encode())


def _guard(reader, leader, run_dir):
    os.setpgid(0, 0)
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    groups = {leader}
    with os.fdopen(reader) as pipe:
        for line in pipe:
            group = int(line[1:])
            groups.add(group) if line[0] == "+" else groups.discard(group)
    kill_groups(groups)
    shutil.rmtree(run_dir, ignore_errors=True)


def kill_groups(groups, seconds=2):
    """Kill process groups and wait until they are gone, since a killed process takes a moment to die."""
    deadline = time.monotonic() + seconds
    left = [group for group in groups if kill(group)]
    while left and time.monotonic() < deadline:
        time.sleep(0.002)
        left = [group for group in left if kill(group)]


def kill(group):
    """False when there is no such group."""
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
        return False
    return True
