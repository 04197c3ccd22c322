"""One job run as a process in a group of its own, with its output kept."""

import collections
import subprocess
import threading

import guardian

TAIL_LINES = 60
TAIL_CHARACTERS = 4000
# A process that left the group may hold the pipe open for ever.
PUMP_SECONDS = 5


class JobProcess:
    def __init__(self, command, env, log_path=None):
        self._log = open(log_path, "ab") if log_path else None
        self._log_lock = threading.Lock()
        self._tail = collections.deque(maxlen=TAIL_LINES)
        try:
            self._process = subprocess.Popen(
                command,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                preexec_fn=guardian.adopt,
            )
        except OSError:
            self._close()
            raise
        self._pumps = [
            threading.Thread(target=self._pump, args=(self._process.stdout, None), daemon=True),
            threading.Thread(target=self._pump, args=(self._process.stderr, self._tail), daemon=True),
        ]
        for pump in self._pumps:
            pump.start()

    def wait(self, seconds):
        """The exit code, or None when the time ran out; either way no process of the group is left."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        self.kill()
        self._process.wait()
        guardian.kill_groups([self._process.pid])
        for pump in self._pumps:
            pump.join(PUMP_SECONDS)
        guardian.release(self._process.pid)
        self._close()
        return code

    def kill(self):
        guardian.kill(self._process.pid)

    def tail(self):
        return "".join(self._tail)[-TAIL_CHARACTERS:].strip()

    def _pump(self, stream, tail):
        for line in stream:
            if tail is not None:
                tail.append(line.decode(errors="replace"))
            if self._log:
                with self._log_lock:
                    self._log.write(line)
                    self._log.flush()
        stream.close()

    def _close(self):
        if self._log:
            self._log.close()
