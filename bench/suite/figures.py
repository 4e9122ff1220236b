# SPDX-License-Identifier: Apache-2.0
"""The figures that count: what each is, which subcommand tells it, its aim, and what limits it.

This is the one place for them. The texts are written by hand, from what was measured; whoever changes what a figure
rests on changes its text.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Figure:
    key: str
    subcommand: str
    title: str
    aim: float
    limits: str  # what it rests on, and the next idea; for people
    at_most: bool = False  # the smaller the better
    aim_without_ifma: float = None  # where the processor has no AVX-512 IFMA; None: the same
    unit: str = ""  # of what is counted; none: a ratio

    def aim_on(self, machine):
        """The aim on this machine, which is a document's object `machine`."""
        if self.aim_without_ifma is not None and not machine.get("ifma", True):
            return self.aim_without_ifma
        return self.aim

    def holds(self, value, machine):
        aim = self.aim_on(machine)
        return value <= aim if self.at_most else value >= aim

    def is_doubtful(self, value):
        """Whether it is beyond what is possible at most, by more than noise: something disturbed the limit."""
        return self.key in BESIDE_LIMIT and (value < 0.9 if self.at_most else value > 1.1)

    def times_aim(self, value, machine):
        """How far the value is beyond its aim: 1 is the aim, more is better; None where that says nothing."""
        aim = self.aim_on(machine)
        part, whole = (aim, value) if self.at_most else (value, aim)
        return part / whole if aim and whole else None

    def aim_text(self, machine):
        aim = self.aim_on(machine)
        return f"{'at most' if self.at_most else 'at least'} {self.text(aim) if self.unit else f'{aim:g}'}"

    def text(self, value):
        return f"{value:,.0f} {self.unit}" if self.unit else f"{value:#.3g}".rstrip(".")


# Those that are a ratio to a limit, which nothing can surpass.
BESIDE_LIMIT = {"mint_in_signer_vs_limit", "mint_end_to_end_vs_limit", "cache_reader_slowdown", "conn_warm_vs_floor",
                "conn_cold_vs_floor", "hsm_vs_raw"}

FIGURES = (
    Figure("mint_in_signer_vs_limit", "mint", "Minting inside the signer, of the library's signatures alone", 0.75,
           "crypto_mb signs eight at a time, as the limit does. The rest is parsing each TBSCertificate, judging it "
           "by the leaf policy, its SHA-256 and a record in the journal; what the last few leaf keys hash to is "
           "remembered. With RSA, whose signatures are dearer, little of this shows.", aim_without_ifma=0.8),
    Figure("mint_end_to_end_vs_limit", "mint", "Minting end to end, of the library's signatures alone", 0.6,
           "What the signer does inside, and its socket: packets received, parsed, filled and sent. A batch is what "
           "has come while the last one ran; the CPU of all of the signer's threads counts.", aim_without_ifma=0.8),
    Figure("mint_vs_x509_sign", "mint", "Minting, by one X509_sign a certificate", 4,
           "By hand a certificate is built of objects, encoded, and signed by itself. The engine makes "
           "TBSCertificates from a template, and crypto_mb signs eight in the time of two or three: a signature is "
           "what is left.", aim_without_ifma=1.8),
    Figure("cache_vs_lfht", "cache", "A cache hit, of liburcu's table alone", 0.8,
           "Hash (SipHash), walk and comparison are the same for both. The cache adds a look at state and expiry, at "
           "most one mark of use, and a counter of the thread's own. With 100,000 entries and more, misses of TLB "
           "and processor caches rule both."),
    Figure("cache_two_threads_vs_one", "cache", "Two threads' cache hits, by one thread's", 1.8,
           "Readers share no lock and write no shared line but a clear mark. But two processors of a virtual machine "
           "are often two threads of one core, which share its caches; what liburcu's table reaches with two threads "
           "says how much of it is the machine."),
    Figure("cache_reader_slowdown", "cache", "A reader beside a writer that evicts, of a reader alone", 0.9,
           "The writer inserts as fast as a core mints, changes lines that the reader has cached, and shares the "
           "core where the two processors are threads of one."),
    Figure("cache_bytes_per_leaf", "cache", "Memory of a cached P-256 leaf, all included", 1200,
           "About 480 bytes are the leaf's DER; the entry with its key, the share of the table, and what the "
           "allocator rounds up to are the rest. Chain and key pair are shared by all leaves.",
           at_most=True, unit="bytes"),
    Figure("conn_warm_vs_floor", "handshake", "CPU of an intercepted connection, warm, by its cryptography", 1.8,
           "Above the floor are system calls (adopting two sockets needs most of them, since TCP_REPAIR has no call "
           "that does all at once), 14 frames each way through the TUN device, in whose writes the kernel's TCP "
           "runs, kicks of AF_XDP, in which the receiver's TCP runs, and TLS beside its cryptography: two SSL "
           "objects, records, transcripts. Next: fewer calls for adoption, several packets in one write; with a NIC "
           "of its own the kicks go away.", at_most=True),
    Figure("conn_cold_vs_floor", "handshake", "CPU of an intercepted connection, cold, by its cryptography", 1.5,
           "What a warm one has above its floor; and parsing the server's certificate, assembling, signing and "
           "publishing the leaf. The floor has the whole verification of the chain.", at_most=True),
    Figure("sslsplit_vs_us", "peers", "CPU of a warm connection: sslsplit by Mintgate", 4,
           "sslsplit relays by libevent's buffers and makes an SSL_CTX for each side of each connection. The kernel "
           "redirects a peer's connections to it, where Mintgate takes them over in mid-stream: that is to the "
           "peers' advantage."),
    Figure("haproxy_vs_us", "peers", "CPU of a warm connection: haproxy by Mintgate", 2.5,
           "haproxy keeps generated certificates and re-encrypts, with OpenSSL on both sides; it signs by the leaf's "
           "name alone, and copies nothing of the server's certificate, which is to its advantage."),
    Figure("squid_vs_us", "peers", "CPU of a warm connection: squid by Mintgate", 10,
           "squid peeks at both hellos, mimics the server's certificate, has helper processes make leaves, and "
           "parses HTTP."),
    Figure("mitmproxy_vs_us", "peers", "CPU of a warm connection: mitmproxy by Mintgate", 10,
           "mitmproxy is written in Python and made for looking into connections; it is here because it is used so."),
    Figure("forward_vs_testpmd", "forward", "Forwarding past the engine, of dpdk-testpmd on the same ports", 0.85,
           "A lab's ports are sockets over veth pairs, where the kernel's copies and wake-ups rule both. What "
           "Mintgate adds for a frame: its headers, a look into the table of flows, counters."),
    Figure("hello_ns", "hello", "Parsing Chromium's ClientHello of 1,986 bytes", 1000,
           "Every extension is walked, and those that are used are checked to their ends. Records and JA4 come on "
           "top in a worker, in a row of their own.", at_most=True, unit="ns"),
    Figure("hsm_vs_raw", "hsm", "Minting on a PKCS#11 token, of C_Sign alone", 0.9,
           "SoftHSM2 signs on the processors on which engine and signer run too, so what these need is missing from "
           "it; a token of its own hardware leaves them theirs. Each packet of results wakes the signer, and the "
           "engine behind it, so results are kept for up to 4 ms while there is more to sign."),
    Figure("swap_p99_vs_steady", "swap", "p99 of handshakes around a hot swap, by that between swaps", 1.25,
           "Minting ahead, by a thread that is nice, competes with handshakes for the processor; after the swap, "
           "names that were not minted ahead are cold once.", at_most=True),
    Figure("swap_failures", "swap", "Connections that failed during swaps", 0,
           "None may fail: a handshake ends with the issuer with which it began, and the old generation goes when "
           "its last session has let go.", at_most=True, unit="failed"),
)

BY_KEY = {figure.key: figure for figure in FIGURES}
