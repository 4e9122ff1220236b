# SPDX-License-Identifier: Apache-2.0
"""Many clients of the control plane's API at one time, over TLS: what each may expect is written down here, and
whatever else comes is a complaint."""

import contextlib
import itertools
import json
import os
import random
import re
import ssl
import threading
import time
import typing
import urllib.parse
from http.client import HTTPException, HTTPSConnection

from controlplane import ControlPlane
from swapkit import API, UnixConnection, ask, done
from tlskit import edited

MG = "/mintgate/v1"
CREDENTIALS = {"admin": 4, "operator": 4, "auditor": 12}  # API clients share them in turn
NUM_DRAFTS = 4
LIGHT, MEDIUM, HEAVY = "light", "medium", "heavy"
PER_WINDOW = {LIGHT: (2, 1), MEDIUM: (1, 1), HEAVY: (1, 60)}  # requests, seconds: contracts.md section 1.7


# ---- the control plane ----

@contextlib.contextmanager
def listening(lab, limits):
    """A control plane with the documented limits or without any."""
    before = lab.config
    lab.config = edited(before, rate_limits={"enabled": limits})
    try:
        with ControlPlane(lab) as control:
            yield control
    finally:
        lab.config = before


# ---- what they ask for ----

class Operation(typing.NamedTuple):
    weight: str
    method: str
    path: str
    body: typing.Optional[str] = None
    status: int = 200  # unless a limit says otherwise


def _reads(drafts):
    paths = [API, f"{API}/1", f"{API}/lite", f"{API}/readyToUse", f"{API}/downloadPublicKey/1", "/api/v1/status",
             f"{MG}/default", f"{MG}/publication", f"{MG}/audit?max=20", *(f"{API}/{number}" for number in drafts)]
    return [Operation(LIGHT, "GET", path) for path in paths]


def _writes(role, drafts):
    activate = Operation(MEDIUM, "POST", "/api/v1/status/activate", "{}")
    describe = [Operation(MEDIUM, "PUT", f"{API}/{number}", json.dumps({"description": f"{random.random()}"}))
                for number in drafts]
    return {"auditor": [], "operator": [activate], "admin": [activate, *describe]}[role]


def operations(role, drafts):
    """Endless, at random: mostly reads, and of the rest what the role may."""
    reads = _reads(drafts)
    while True:
        writes = _writes(role, drafts)
        yield random.choice(writes if writes and random.random() < 0.4 else reads)


def make_default():
    """Of one operator alone: a second one at the same time would be told to wait."""
    while True:
        yield Operation(MEDIUM, "PUT", f"{API}/makeDefault/1", "{}")


def come_and_go():
    """Of one client alone, since there is a quota: a draft is made and deleted, again and again. It is told what was
    made, and whether the deletion was let through."""
    for number in itertools.count(1):
        body = {"name": f"comes and goes {number}", "type": "CUSTOM_SW", "keyType": "EC_P256"}
        made = yield Operation(MEDIUM, "POST", API, json.dumps(body))
        while made and (yield Operation(HEAVY, "DELETE", f"{API}/{made['id']}", status=204)) is None:
            pass


# ---- what they are answered ----

class Exchange(typing.NamedTuple):
    credential: str
    operation: Operation
    status: int
    seconds: float
    complaint: str  # "": as documented


def _complaint(operation, answer, limits):
    if answer.status == operation.status:
        limited = "x-ratelimit-limit" in answer.headers
        return "" if limited == limits else "x-ratelimit headers"
    if answer.status != 429 or not limits:
        return f"{answer.status} {answer.body[:200]!r}"
    window = re.fullmatch(r"Rate Limit \(\d+/(SECOND|MINUTE|HOUR)\) exceeded", answer.json().get("message", ""))
    retry = answer.headers.get("retry-after", "")
    told = all(answer.headers.get(f"x-ratelimit-{what}") for what in ("limit", "reset"))
    good = window and retry.isdigit() and int(retry) >= 1 and told and answer.headers["x-ratelimit-remaining"] == "0"
    return "" if good else f"429 {answer.headers.items()} {answer.body[:200]!r}"


class _Client(threading.Thread):
    """Logs in for itself, keeps one connection, and thinks for a second on average between two requests."""

    def __init__(self, crowd, credential, secret, script):
        super().__init__(daemon=True)
        self.crowd, self.credential, self.secret, self.script = crowd, credential, secret, script
        self.exchanges = []
        self.trouble = None

    def run(self):
        # They stand for other machines: what they need is not the appliance's.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        try:
            self.work()
        except (OSError, HTTPException, KeyError, ValueError) as error:
            self.trouble = f"{self.credential}: {error!r}"
        finally:
            self.crowd.one_is_in()

    def work(self):
        crowd = self.crowd
        connection = HTTPSConnection(crowd.address, timeout=60, context=crowd.context)
        with contextlib.closing(connection):
            form = f"grant_type=client_credentials&client_id={self.credential}&client_secret={self.secret}"
            token = done(connection, "POST", "/oauth2/v1/token", form,
                         media_type="application/x-www-form-urlencoded").json()["access_token"]
            crowd.one_is_in()
            operation = next(self.script)
            while crowd.wait(random.expovariate(1)):
                answer = self.exchange(connection, operation, {"Authorization": f"Bearer {token}"})
                operation = self.script.send(answer)

    def exchange(self, connection, operation, headers):
        """What was answered if it was done, None if a limit stood in the way."""
        began = time.monotonic()
        answer = ask(connection, operation.method, operation.path, operation.body, headers)
        complaint = _complaint(operation, answer, self.crowd.limits)
        self.exchanges.append(Exchange(self.credential, operation, answer.status, time.monotonic() - began, complaint))
        if answer.status != operation.status:
            return None
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        return answer.json() if is_json and answer.body else {}


class Crowd:
    """|count| clients of |control|, which listens. They wait until they are let go, and can be held again."""

    def __init__(self, control, count, limits):
        self.control, self.limits = control, limits
        self.address = urllib.parse.urlsplit(control.url).netloc
        self.context = ssl.create_default_context(cafile=control.ca)
        self.context.check_hostname = False
        self._busy, self._ended = threading.Event(), threading.Event()
        self._in = threading.Semaphore(0)
        with contextlib.closing(UnixConnection(control.socket)) as local:
            drafts = self._drafts(local)
            credentials = list(self._credentials(local))
        alone = {"admin": come_and_go(), "operator": make_default()}
        self.clients = []
        for (role, name, secret), _ in zip(itertools.cycle(credentials), range(count)):
            script = alone.pop(role) if role in alone else operations(role, drafts)
            self.clients.append(_Client(self, name, secret, script))

    def _drafts(self, local):
        """Certificates whose descriptions are changed."""
        for number in range(NUM_DRAFTS):
            body = json.dumps({"name": f"draft {number}", "type": "CUSTOM_SW", "keyType": "EC_P256"})
            ask(local, "POST", API, body)  # which may be there
        return [one["id"] for one in done(local, "GET", API).json() if one["name"].startswith("draft ")]

    def _credentials(self, local):
        for role, count in CREDENTIALS.items():
            for number in range(count):
                name = f"{role}-{number}"
                ask(local, "DELETE", f"{MG}/clients/{name}")
                made = done(local, "POST", f"{MG}/clients", json.dumps({
                    "id": name, "role": role, "families": ["zia", "mintgate"]})).json()
                yield role, name, made["secret"]

    def __enter__(self):
        for client in self.clients:
            client.start()
        for client in self.clients:
            assert self._in.acquire(timeout=120), "clients that did not log in"
        self.check()
        return self

    def __exit__(self, *unused):
        self._ended.set()
        self._busy.set()
        for client in self.clients:
            client.join(timeout=120)

    def one_is_in(self):
        self._in.release()

    def go(self):
        self._busy.set()

    def hold(self):
        self._busy.clear()

    def wait(self, seconds):
        """Called by clients; False: it is over."""
        self._ended.wait(seconds)
        self._busy.wait()
        return not self._ended.is_set()

    def check(self):
        """Raises the first trouble that a client had."""
        for client in self.clients:
            assert client.trouble is None, client.trouble

    def exchanges(self):
        return [one for client in self.clients for one in client.exchanges]
