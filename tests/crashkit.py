# SPDX-License-Identifier: Apache-2.0
"""Programs killed at a chosen moment: between the messages of their sockets, and between their system calls. They know
nothing of it (docs/adr/0023-crash-points.md)."""

import contextlib
import functools
import glob
import os
import pathlib
import select
import signal
import socket
import subprocess
import threading
import time

from crash_points import CONTROL, ENGINE, KEYS, PUBLISHED, SIGNER, Answer, Message, Write
from labkit import wait_until
from tlskit import edited

MAX_PACKET = 256 * 1024
PUBLISH_TYPES = [None, "HELLO", "PREPARE", "PROGRESS", "PREPARED", "COMMIT", "COMMITTED", "ABORT"]
CONTROL_CALLS = [None, "LIST", "MAKE_KEY", "PUBLIC_KEY", "MAKE_CSR", "INSTALL", "REMOVE", "DESTROY"]
REPLY = 0x80


def name_of_publish(packet):
    """wire/publish.h: the type is the first byte."""
    return PUBLISH_TYPES[packet[0]]


def name_of_call(packet):
    """wire/signer_control.h: version, call or call | 0x80."""
    return CONTROL_CALLS[packet[1] & ~REPLY] + (" reply" if packet[1] & REPLY else "")


def _threads(pid):
    """The state and the flags of each thread (proc(5), stat, fields 3 and 9)."""
    for stat in glob.glob(f"/proc/{pid}/task/*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = pathlib.Path(stat).read_text().rsplit(")", 1)[1].split()
            yield fields[0], int(fields[6])


def is_dead(pid):
    """Whether no thread of it is left: the first of them may be a zombie while others still have their descriptors."""
    return all(state in "ZX" for state, _ in _threads(pid))


def is_ending(pid):
    """Whether it is dead, or will be when the kernel has taken its memory and descriptors away (PF_EXITING)."""
    return all(state in "ZX" or flags & 4 for state, flags in _threads(pid))


def kill(pid):
    """SIGKILL, and waits until nothing of it runs any more."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: is_dead(pid), 30, f"the end of process {pid}")


class Proxy:
    """Stands in a SOCK_SEQPACKET socket between |dialler|, which connects to |path|, and |listener| at |target|. |seen|
    is called with each message before it is passed on, and says whether it is. Who dials while the listener is away
    waits for it, if |patient|; else it is hung up on."""

    def __init__(self, path, target, dialler, listener, name_of, seen, patient):
        self.target, self.dialler, self.listener = str(target), dialler, listener
        self.name_of, self.seen, self.patient = name_of, seen, patient
        pathlib.Path(path).unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.bind(str(path))
        self.socket.listen(16)
        self.closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.closed = True
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _accept(self):
        while not self.closed:
            with contextlib.suppress(OSError):
                near, _ = self.socket.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _dial(self, near):
        far = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        while True:
            with contextlib.suppress(ConnectionRefusedError, FileNotFoundError):
                far.connect(self.target)
                return far
            gone = select.select([near], [], [], 0.02)[0] and not near.recv(1, socket.MSG_PEEK)
            if not self.patient or gone or self.closed:
                far.close()
                return None

    def _serve(self, near):
        with near, contextlib.suppress(OSError):
            far = self._dial(near)
            if far is not None:
                with far:
                    self._pass(near, far)

    def _pass(self, near, far):
        ends = {near: (far, self.dialler, self.listener), far: (near, self.listener, self.dialler)}
        while True:
            for end in select.select(list(ends), [], [])[0]:
                to, sender, receiver = ends[end]
                packet = end.recv(MAX_PACKET)
                if not packet or not self.seen(Message(sender, receiver, self.name_of(packet))):
                    return
                to.send(packet)


@functools.cache
def can_trace():
    """Some containers forbid ptrace."""
    return subprocess.run(["strace", "-f", "-o", "/dev/null", "true"], capture_output=True).returncode == 0


class Tracer:
    """strace on a program, or on the one thread of it that is named, that kills it on entering a system call."""

    def __init__(self, pid, write, directory):
        paths, thread = [], None
        if write.file == PUBLISHED:
            thread = "publisher"  # what else is written is none of its business
        elif write.file != KEYS:
            paths = ["-P", directory / "control" / write.file]
        tasks = [task for task in glob.glob(f"/proc/{pid}/task/*") if thread in (None, self._name(task))]
        whom = ["-f", "-p", pid] if thread is None else ["-p", pathlib.Path(tasks[0]).name]
        words = ["strace", *whom, *paths, "-e", f"trace={write.call}", "-o", "/dev/null",
                 f"--inject={write.call}:signal=KILL:when={write.nth}"]
        self.process = subprocess.Popen([str(word) for word in words], stderr=subprocess.DEVNULL)
        wait_until(lambda: all(self._has(task) for task in tasks), what="strace")

    @staticmethod
    def _name(task):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            return pathlib.Path(task, "comm").read_text().strip()
        return None  # the thread has ended

    def _has(self, task):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            return f"\nTracerPid:\t{self.process.pid}\n" in pathlib.Path(task, "status").read_text()
        return True  # the thread has ended

    def detach(self):
        self.process.terminate()
        self.process.wait(timeout=30)


class Trap:
    """One row's crash: armed, it kills the victim when its moment has come."""

    def __init__(self, programs, row, nth):
        self.programs, self.row = programs, row
        self.at = row.at._replace(nth=nth) if isinstance(row.at, Write) else row.at
        self.lock = threading.Lock()
        self.tracer = None
        self.pid = programs.pid(row.victim)
        self.sprung = threading.Event()
        if isinstance(self.at, Write) and self.at.behind is None:
            self._trace()

    def _trace(self):
        self.tracer = Tracer(self.pid, self.at, self.programs.directory)

    def spring(self):
        kill(self.programs.pid(self.row.victim))
        self.sprung.set()

    def seen(self, message):
        """Of the proxies: whether |message| is passed on."""
        with self.lock:
            if isinstance(self.at, Write) and message == self.at.behind and self.tracer is None:
                self._trace()
            elif message == self.at and not self.sprung.is_set():
                self.spring()
                return self.row.victim not in (message.sender, message.receiver)
        return True

    def answered(self):
        """Of the API's client: the answer is there to be read."""
        if isinstance(self.at, Answer):
            self.spring()

    def wait(self, request):
        """Waits until the victim is dead; False: |request|, a future, has come to its end without that."""
        wait_until(lambda: self._is_killed() or request.done(), 90, str(self.row))
        with self.lock:  # a request that is cut off ends a moment before the proxy has seen to it
            if not self._is_killed() and self.tracer is not None and (request.result() is None or is_ending(self.pid)):
                wait_until(lambda: is_dead(self.pid), 30, str(self.row))
            return self._is_killed()

    def _is_killed(self):
        return self.sprung.is_set() or (self.tracer is not None and is_dead(self.pid))

    def disarm(self):
        self.sprung.set()
        if self.tracer is not None:
            self.tracer.detach()


class Traffic:
    """Clients that connect all the time, one after the other; |attempt| is called with numbers and raises where a
    client is not content."""

    def __init__(self, attempt, pause=0.05):
        self.attempt, self.pause = attempt, pause
        self.failures, self.count = [], 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        while not self.over.wait(self.pause):
            try:
                self.attempt(self.count)
            except Exception as error:  # whatever it was, it is a client that noticed
                self.failures.append(f"connection {self.count} at {time.strftime('%H:%M:%S')}: {error!r}")
            self.count += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *unused):
        self.over.set()
        self.thread.join()


class Programs:
    """The three programs of a lab, with proxies in their sockets. |control| is set once it runs, as configure says."""

    def __init__(self, lab):
        self.lab, self.control = lab, None
        self.directory = pathlib.Path(lab.env["LAB_DIR"])
        self.trap = None
        self.messages = []  # since control was started, by name
        self.proxies = [
            Proxy(self.directory / "proxy-signer.sock", lab.env["SIGNER_CONTROL_SOCKET"], CONTROL, SIGNER, name_of_call,
                  self._seen, True),
            Proxy(self.directory / "control-engine.sock", self.directory / "proxy-engine.sock", ENGINE, CONTROL,
                  name_of_publish, self._seen, False),
        ]

    def _seen(self, message):
        trap = self.trap
        if trap is not None and not trap.seen(message):
            return False
        self.messages.append(message.name)
        return True

    def close(self):
        for proxy in self.proxies:
            proxy.close()

    def configure(self, **control):
        """A configuration for a control plane behind the proxies, with more keys for it."""
        path = self.directory / "crash.yaml"
        path.write_text(edited(self.lab.config, signer={"control_socket": str(self.directory / "proxy-signer.sock")},
                               control={"engine_socket": str(self.directory / "proxy-engine.sock"), **control}))
        return path

    def pid(self, program):
        return {CONTROL: lambda: self.control.process.pid, SIGNER: self.lab.signer_pid, ENGINE: self.lab.engine_pid}[
            program]()

    @contextlib.contextmanager
    def armed(self, row, nth):
        self.trap = Trap(self, row, nth)
        try:
            yield self.trap
        finally:
            self.trap.disarm()
            self.trap = None

    def wait_for_end(self, program):
        """Waits until |program|, which was killed, has gone."""
        if program == CONTROL:
            self.control.process.wait(timeout=30)
        else:
            wait_until(lambda: is_dead(self.pid(program)), 30, f"the end of the {program}")

    def start(self, program):
        if program == CONTROL:
            self.messages = []
            self.control.launch()
        else:
            self.lab.restart(program)
