# SPDX-License-Identifier: Apache-2.0
"""Flows whose two ends are both rawclient's, with the engine between them."""

import os
import ssl
import typing

from rawclient import Tcp, Tls, wait_for
from tlskit import client_context

NAME = "www.good.lab.test"
BYPASSED = "www.bypass.lab.test"
BLOCKED = "www.blocked.lab.test"


def pattern(num_bytes):
    """Bytes that no wrong order leaves as they are."""
    return b"".join(i.to_bytes(4, "big") for i in range((num_bytes + 3) // 4))[:num_bytes]


def server_context(lab, name="good.lab.test"):
    """A server of ours with one of the lab's certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    stem = os.path.join(lab.env["PKI_DIR"], "servers", name)
    context.load_cert_chain(stem + ".pem", stem + ".key")
    return context


def padded_context(lab, num_bytes=0):
    """A client's context whose ClientHello is at least so large, by names of protocols that nobody knows."""
    names = [f"x{i:03}".ljust(200, "y") for i in range((num_bytes + 200) // 201)]
    return client_context(lab.env["MINTGATE_ROOT_PEM"], alpn=names + ["http/1.1"] if names else None)


class Flow(typing.NamedTuple):
    client: Tcp
    server: Tcp

    def reset(self):
        """Ends it at once, with nothing else under way."""
        self.client.host.ping(self.server.host)
        self.client.rst()
        wait_for(lambda: self.server.reset, "the RST at the server")
        self.forget()

    def forget(self):
        self.client.forget()
        self.server.forget()


class Ends:
    """A raw client and a raw server."""

    def __init__(self, lab, client, server):
        self.lab, self.client, self.server = lab, client, server

    def half_open(self, *, family=4, port=443, client=None, server=None, answer=True):
        """The client's SYN has come to the server."""
        if port not in self.server.listening:
            self.server.listen(port)
        ours = Tcp(self.client, self.server.address(family), port, remote_mac=self.server.mac, **(client or {}))
        ours.syn()
        theirs = self.server.accept(port, answer=answer, **(server or {}))
        return Flow(ours, theirs)

    def open(self, **how):
        """A flow after its handshake."""
        flow = self.half_open(**how)
        wait_for(lambda: flow.client.peer_syn, "the SYN-ACK")
        flow.client.ack()
        flow.server.wait_acked()
        return flow

    def barrier(self):
        """What the client sent has been handled by the engine, and what was forwarded has arrived."""
        self.client.ping(self.server)

    def server_tls(self, flow, name="good.lab.test"):
        return Tls(flow.server, server_context(self.lab, name), server_side=True)

    def client_tls(self, flow, name=NAME, *, roots=None, size=0):
        context = padded_context(self.lab, size)
        if roots is not None:
            context = client_context(roots)
        return Tls(flow.client, context, name)

    def intercepted(self, **how):
        """A flow with TLS on both sides of the engine: (flow, client's Tls, server's Tls)."""
        flow = self.open(**how)
        server = self.server_tls(flow)
        client = self.client_tls(flow)
        client.handshake()
        server.handshake()  # the engine's Finished may come after what it says to the client
        return flow, client, server


def exchange(client, server, up=pattern(3000), down=pattern(9000)):
    """Bytes both ways over two Tls."""
    client.write(up)
    assert server.read(len(up)) == up
    server.write(down)
    assert client.read(len(down)) == down
