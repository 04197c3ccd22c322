"""
Runs a command on a terminal of its own, types Ctrl-C (or what TYPED has) when a text has been drawn so many times, and prints what
came and the exit code.
"""

import json
import os
import pty
import sys

text, times, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
drawn = b""
typed = False
while True:
    try:
        chunk = os.read(terminal, 65536)
    except OSError:  # What Linux says when the other end is closed.
        break
    if not chunk:
        break
    drawn += chunk
    if not typed and drawn.count(text.encode()) >= times:
        os.write(terminal, os.environ.get("TYPED", "\x03").encode())
        typed = True
_, status = os.waitpid(pid, 0)
print(json.dumps({"drawn": drawn.decode(), "code": os.waitstatus_to_exitcode(status)}))
