# SPDX-License-Identifier: Apache-2.0
"""The programs that people use today where Mintgate would stand: how each is told to intercept, to mint with P-256
keys, to verify the server as far as it can, and to resume nothing. Debian's versions are meant, with the least that
each can be told to do: no log of connections where that can be had, no disk.

All of them link OpenSSL, whose configuration file (openssl_config) says what they cannot all be told themselves."""

import dataclasses
import pathlib
import re
import shutil

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import labbench  # noqa: F401  (which says where keyskit is)
from keyskit import Authority
from labkit import run

PORT = 8443  # where a peer listens in the middle's namespace
CACHED_NAMES = 100000  # what a peer's cache of leaves may hold, where that is a number
SQUID_USER = "proxy"  # Debian's; squid refuses to be root
CERTGEN = "/usr/lib/squid/security_file_certgen"


class Files:
    """A peer's files in a directory of its own: the CA that it signs with, the key of its leaves, what it trusts."""

    def __init__(self, directory, trust, name_server):
        self.directory, self.trust, self.name_server = pathlib.Path(directory), pathlib.Path(trust), name_server
        self.directory.mkdir(mode=0o755)
        self.ca, self.ca_key, self.ca_pair, self.leaf_key = (self.directory / name for name in
                                                             ("ca.pem", "ca.key", "ca-pair.pem", "leaf.key"))
        authority = Authority("Peer CA")
        self.ca.write_text(authority.pem())
        self.ca_key.write_text(_pem_of(authority.key))
        self.ca_pair.write_text(_pem_of(authority.key) + authority.pem())
        self.leaf_key.write_text(_pem_of(ec.generate_private_key(ec.SECP256R1())))
        self.openssl = self.write("openssl.cnf", openssl_config())

    def write(self, name, text):
        path = self.directory / name
        path.write_text(text)
        return path


def _pem_of(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def openssl_config():
    """TLS 1.3 with one cipher suite and no tickets, on both sides of a peer. Level 1, since haproxy 2.6 sets 1024-bit
    DH parameters for the leaves that it makes: level 2 refuses them, and another handshake then fails for that."""
    return """openssl_conf = peers
[peers]
ssl_conf = ssl
[ssl]
system_default = both_sides
[both_sides]
MinProtocol = TLSv1.3
Ciphersuites = TLS_AES_128_GCM_SHA256
CipherString = DEFAULT:@SECLEVEL=1
Groups = X25519:P-256
Options = -SessionTicket
NumTickets = 0
"""


def sslsplit_config(files):
    return f"""CACert {files.ca}
CAKey {files.ca_key}
LeafKey {files.leaf_key}
VerifyPeer yes
User root
ConnectLog /dev/null
ProxySpec ssl 0.0.0.0 {PORT} netfilter
"""


def haproxy_config(files):
    """The certificate that it wants besides is shown to those who name nobody; its key is the key of the leaves."""
    return f"""global
    nbthread 1
    maxconn 2000
    tune.ssl.cachesize 0
    tune.ssl.ssl-ctx-cache-size {CACHED_NAMES}
defaults
    mode tcp
    timeout connect 30s
    timeout client 30s
    timeout server 30s
frontend clients
    bind :{PORT} ssl crt {files.ca_pair} generate-certificates ca-sign-file {files.ca_pair} no-tls-tickets
    default_backend servers
backend servers
    server original 0.0.0.0:443 ssl verify required ca-file {files.trust} sni ssl_fc_sni no-ssl-reuse
"""


def squid_config(files):
    """It asks a name server for whatever name a client says. Its certificate generator has no store of its own without
    -s, so that what is warm is warm by squid's own memory."""
    return f"""https_port {PORT} intercept ssl-bump tls-cert={files.ca_pair} \\
    generate-host-certificates=on dynamic_cert_mem_cache_size=512MB
http_port 127.0.0.1:3128
sslcrtd_program {CERTGEN}
sslcrtd_children 2 startup=2 idle=1
tls_outgoing_options cafile={files.trust} default-ca=off
acl client_hello at_step SslBump1
ssl_bump peek client_hello
ssl_bump stare all
ssl_bump bump all
http_access allow all
cache deny all
cache_mem 0
access_log none
cache_log {files.directory}/cache.log
pid_filename {files.directory}/squid.pid
coredump_dir {files.directory}
cache_effective_user {SQUID_USER}
dns_nameservers {files.name_server}
visible_hostname peer.lab.test
pinger_enable off
shutdown_lifetime 0 seconds
"""


def start_sslsplit(files):
    return ["sslsplit", "-f", files.write("sslsplit.conf", sslsplit_config(files))]


def start_haproxy(files):
    return ["haproxy", "-db", "-f", files.write("haproxy.cfg", haproxy_config(files))]


def start_squid(files):
    config = files.write("squid.conf", squid_config(files))
    for path in (files.directory, *files.directory.iterdir()):
        shutil.chown(path, SQUID_USER)
    # Its shared memory is named after its service.
    return ["squid", "-N", "-n", squid_service(files), "-f", config]


def squid_service(files):
    return "".join(filter(str.isalnum, f"mg{files.directory}"))[-24:]


def end_squid(files):
    for segment in pathlib.Path("/dev/shm").glob(f"{squid_service(files)}-*"):
        segment.unlink()


def start_mitmproxy(files):
    """Leaves get the CA's own key, here as always with mitmproxy."""
    (files.directory / "mitmproxy-ca.pem").write_text(files.ca_pair.read_text())
    return ["mitmdump", "-q", "--mode", "transparent", "--listen-port", PORT, "--set", f"confdir={files.directory}",
            "--set", f"ssl_verify_upstream_trusted_ca={files.trust}"]


@dataclasses.dataclass(frozen=True)
class Peer:
    """A program to compare with.

    package: Debian's. start: makes its configuration in Files and returns the command. version: what prints that.
    aim: its CPU for a warm connection by Mintgate's is to be at least that. share: how many connections it gets of
    those that a fast one gets. note: what a reader must know. end: removes what it leaves behind, given the Files."""
    name: str
    package: str
    start: object
    version: tuple
    aim: float
    share: float
    note: str
    end: object = None

    def version_text(self):
        result = run(*self.version)
        return re.search(r"\d+(\.\d+)+\S*", result.stdout + result.stderr).group()


PEERS = (
    Peer("sslsplit", "sslsplit", start_sslsplit, ("sslsplit", "-V"), 4, 1,
         "Relays bytes. Reads its roots anew for each connection. Knows no X25519 towards the client: P-256."),
    Peer("haproxy", "haproxy", start_haproxy, ("haproxy", "-v"), 2.5, 1,
         "Relays bytes. Its leaves say what the client asked for and mimic nothing; it shows them before it knows the "
         "server."),
    Peer("squid", "squid-openssl", start_squid, ("squid", "-v"), 10, 0.25,
         "Reads HTTP; asks a name server for each name. A process of its own makes the leaves."),
    Peer("mitmproxy", "mitmproxy", start_mitmproxy, ("mitmdump", "--version"), 10, 0.25,
         "Reads HTTP; in Python, except for its cryptography. Remembers 100 leaves."),
)
