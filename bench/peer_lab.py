# SPDX-License-Identifier: Apache-2.0
"""A lab with a peer in Mintgate's place, and what the processes of a lab use.

The appliance's namespace is a router there instead of a bump in the wire: proxy ARP on both links, and nftables
redirects what the client sends to port 443 to the peer, which asks conntrack for the server (SO_ORIGINAL_DST). The
peer's own connections to servers are not tracked. Its kernel may leave checksums to the hosts, unlike Mintgate's."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess

import labbench  # noqa: F401  (which says where labkit is)
import peers
from labkit import Lab, run, wait_until
from processes import tree

CLIENT_SIDE_IP4, SERVER_SIDE_IP4 = "198.18.2.1", "198.18.2.2"
READY_SECONDS = 60
RULES = f"""table ip peer {{
 chain untracked {{ type filter hook prerouting priority raw; iifname "server0" notrack; }}
 chain untracked_out {{ type filter hook output priority raw; oifname "server0" notrack; }}
 chain diverted {{
  type nat hook prerouting priority dstnat; iifname "client0" tcp dport 443 redirect to :{peers.PORT};
 }}
}}
"""
SYSCTLS = ("net.ipv4.ip_forward=1", "net.ipv4.conf.client0.proxy_arp=1", "net.ipv4.conf.server0.proxy_arp=1",
           "net.ipv4.ip_local_port_range=1024 65535", "net.ipv4.tcp_tw_reuse=1", "net.core.somaxconn=4096",
           "net.netfilter.nf_conntrack_tcp_timeout_time_wait=1")


def memory(pid):
    """Bytes that a process and those below it hold, shared pages by their share (PSS)."""
    total = 0
    for one in tree(pid):
        lines = pathlib.Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
    return total


# ---- the lab ----

class PeerLab(Lab):
    """A bridged lab that routes through a peer. |pki|: certificates of servers that another lab has made."""

    def __init__(self, prefix, directory, peer, pki):
        super().__init__(prefix, directory)
        self.peer, self.process = peer, None
        self.directory.mkdir(mode=0o755)
        shutil.copytree(pki, self.directory / "pki")

    def up(self):
        """Raises an AssertionError that says why the peer does not run, if it does not."""
        self.command("up", "--bridge")
        self._route()
        self.files = peers.Files(self.directory / "peer", pathlib.Path(self.env["PKI_DIR"]) / "trust.pem",
                                 self.env["SERVER_IP4"])
        shutil.copy(self.files.trust, self.files.directory / "trust.pem")  # where everyone may look
        self.files.trust = self.files.directory / "trust.pem"
        self.start()

    def down(self):
        self.stop()
        self.command("down")

    def _in_middle(self, *command, **options):
        return run("ip", "netns", "exec", self.env["APPLIANCE_NS"], *command, **options)

    def _route(self):
        self._in_middle("ip", "link", "delete", "bridge0")
        self._in_middle("ip", "link", "set", "lo", "up")
        for port, own, there in (("client0", CLIENT_SIDE_IP4, self.env["CLIENT_IP4"]),
                                 ("server0", SERVER_SIDE_IP4, self.env["SERVER_IP4"])):
            self._in_middle("ip", "address", "add", f"{own}/32", "dev", port)
            self._in_middle("ip", "route", "add", f"{there.rsplit('.', 1)[0]}.0/24", "dev", port)
        self._in_middle("nft", "-f", "-", input=RULES)  # which also makes conntrack's settings appear
        self._in_middle("sysctl", "-qw", *SYSCTLS)

    def _listens(self):
        assert self.process.poll() is None, f"{self.peer.name} ended: {self.log()}"
        return self._in_middle("ss", "-Hltn", f"sport = :{peers.PORT}").stdout

    def start(self):
        command = [str(word) for word in self.peer.start(self.files)]
        self.command_line = " ".join(command)
        environment = dict(os.environ, OPENSSL_CONF=str(self.files.openssl), SSL_CERT_FILE=str(self.files.trust),
                           SSL_CERT_DIR="/nonexistent")
        with open(self.directory / "log/peer.log", "wb") as log:
            self.process = subprocess.Popen(["ip", "netns", "exec", self.env["APPLIANCE_NS"], *command],
                                            env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_until(self._listens, READY_SECONDS, f"{self.peer.name}'s listening")

    def stop(self):
        if self.process is None:
            return
        everyone = tree(self.process.pid)
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in everyone:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
        if self.peer.end:
            self.peer.end(self.files)
        self.process = None

    def log(self):
        return (self.directory / "log/peer.log").read_text(errors="replace")[-2000:]

    def configuration(self):
        """What it was told, for people; DIR is where its files are."""
        texts = [f"$ {self.command_line}"]
        for path in sorted(self.files.directory.iterdir()):
            if path.suffix in (".conf", ".cfg", ".cnf"):
                texts.append(f"# {path.name}\n{path.read_text()}")
        return "\n".join(texts).replace(str(self.files.directory), "DIR")
