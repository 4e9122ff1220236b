# SPDX-License-Identifier: Apache-2.0
"""scripts/lab itself: it comes up, says what it is, and leaves nothing behind."""

import fcntl
import os
import pathlib
import signal
import subprocess

import pytest

from labkit import ROOT, Lab, run


def namespaces(prefix):
    return [name for name in os.listdir("/run/netns") if name.startswith(prefix)]


def processes_of(directory):
    """Processes that have a path below |directory| on their command line."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(directory).encode() in entry.read_bytes() and int(entry.parent.name) != os.getpid():
                found.append(int(entry.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


@pytest.fixture
def own_lab(tmp_path):
    """A lab that is down, for tests that take it up and down."""
    made = Lab(f"mgu{os.getpid()}-", tmp_path / "lab")
    yield made
    made.command("down")


def test_env_names_what_the_issue_lists(lab):
    expected = {
        "CLIENT_NS", "SERVER_NS", "APPLIANCE_NS", "STACK_NS", "CLIENT_IP4", "CLIENT_IP6", "SERVER_IP4", "SERVER_IP6",
        "ROOT_PEM", "CONFIG", "METRICS_SOCKET", "SESSION_LOG", "ENGINE_PID", "SIGNER_PID", "CONTROL_URL",
        "CONTROL_SOCKET", "CONTROL_PID", "CONTROL_CA_PEM", "MINTGATE_ROOT_PEM",
    }
    assert expected <= lab.env.keys()
    assert pathlib.Path(lab.env["ROOT_PEM"]).exists()


def test_up_again_changes_nothing(lab):
    before = (lab.directory / "run/origin.pid").read_text()
    assert "is up" in lab.command("up", "--bridge").stdout
    assert (lab.directory / "run/origin.pid").read_text() == before


def test_status_shows_every_process_and_its_state(lab):
    text = lab.command("status").stdout
    for name in ("origin", "nginx", "dnsmasq", lab.env["CLIENT_NS"], lab.env["SERVER_IP6"]):
        assert name in text
    assert len(text.splitlines()) <= 24


def test_status_fails_and_up_repairs_when_a_process_is_gone(own_lab):
    own_lab.command("up", "--bridge")
    pid = int(own_lab.env["ORIGIN_PID"])
    os.kill(pid, 9)
    status = own_lab.command("status", check=False)
    assert status.returncode == 1 and "not running" in status.stdout
    own_lab.command("up", "--bridge")
    own_lab.command("status")
    assert int(own_lab.env["ORIGIN_PID"]) != pid


def test_down_leaves_nothing(own_lab):
    own_lab.command("up", "--bridge")
    own_lab.command("vlan", "up", "7")
    assert namespaces(own_lab.prefix) and processes_of(own_lab.directory)
    own_lab.command("down")
    assert namespaces(own_lab.prefix) == []
    assert processes_of(own_lab.directory) == []
    assert not pathlib.Path(f"/etc/netns/{own_lab.prefix}client").exists()
    assert own_lab.command("status", check=False).returncode == 1


def test_a_lab_with_mintgate_leaves_nothing_running_and_comes_up_as_it_was(own_lab):
    own_lab.command("up")
    own_lab.command("status")
    before, made = own_lab.env, own_lab.command("intermediate", "Outlives the lab").stdout.splitlines()[-1]
    own_lab.command("down")
    assert namespaces(own_lab.prefix) == [] and processes_of(own_lab.directory) == []
    own_lab.command("up")
    assert "CERT_READY" in own_lab.command("ctl", "intermediate", "show", made).stdout
    # The port is another where somebody took it meanwhile.
    assert {key for key, value in own_lab.env.items() if before[key] != value} <= {
        "ENGINE_PID", "SIGNER_PID", "CONTROL_PID", "ORIGIN_PID", "CONTROL_URL"}


def test_down_cleans_up_after_an_up_that_failed_half_way(own_lab, tmp_path):
    (tmp_path / "empty").mkdir()
    broken = Lab(own_lab.prefix, own_lab.directory, build=tmp_path / "empty")
    result = broken.command("up", "--bridge", check=False)
    assert result.returncode != 0 and "mintgate-lab-origin is missing" in result.stderr
    assert namespaces(own_lab.prefix) and processes_of(own_lab.directory)
    own_lab.command("down")
    assert namespaces(own_lab.prefix) == []
    assert processes_of(own_lab.directory) == []


def test_a_process_that_does_not_come_up_shows_its_log(own_lab, tmp_path):
    fake = tmp_path / "fake/tests/lab/mintgate-lab-origin"
    fake.parent.mkdir(parents=True)
    fake.write_text("#!/bin/sh\necho it hurts >&2\nexit 3\n")
    fake.chmod(0o755)
    result = Lab(own_lab.prefix, own_lab.directory, build=tmp_path / "fake").command("up", "--bridge", check=False)
    assert result.returncode != 0
    assert "it hurts" in result.stderr and "ended before it was ready" in result.stderr


def test_down_kills_and_names_what_does_not_end(own_lab):
    own_lab.command("up", "--bridge")
    os.kill(int(own_lab.env["ORIGIN_PID"]), signal.SIGSTOP)  # SIGTERM does not reach it
    result = own_lab.command("down")
    assert "origin has not ended 5 s after SIGTERM, and is killed" in result.stderr and "T (stopped)" in result.stderr
    assert processes_of(own_lab.directory) == []


def test_a_step_that_hangs_is_given_up_and_named():
    script = f"cd {ROOT}; . scripts/lib/output.sh; . scripts/lib/process.sh; exec 9> /dev/null; bounded 1 sleep 61"
    result = run("bash", "-euc", script, check=False, timeout=30)
    assert result.returncode == 1 and "given up after 1 s: sleep 61" in result.stderr
    assert run("bash", "-euc", script.replace("sleep 61", "sh -c 'exit 3'"), check=False).returncode == 3


def test_a_lab_that_another_works_on_is_not_waited_for_without_end(own_lab):
    own_lab.directory.mkdir()
    with open(own_lab.directory / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        own_lab.environment["MG_LAB_PATIENCE"] = "1"
        result = own_lab.command("down", check=False)
    assert result.returncode == 1 and "another scripts/lab" in result.stderr


def test_down_when_down_is_no_error(own_lab):
    own_lab.command("down")
    own_lab.command("down")


def test_shell_runs_commands_with_the_labs_variables(lab):
    result = lab.command("shell", "client", "sh", "-c", "echo $SERVER_IP4; ip -br address show eth0")
    assert result.stdout.splitlines()[0] == lab.env["SERVER_IP4"]
    assert lab.env["CLIENT_IP4"] in result.stdout
    assert lab.command("shell", "nowhere", "true", check=False).returncode == 2


def test_both_address_families_and_names_work_at_once(lab):
    for family in ("-4", "-6"):
        text = lab.curl(family, "https://www.good.lab.test/info").stdout
        address = lab.env["CLIENT_IP4"] if family == "-4" else lab.env["CLIENT_IP6"]
        assert f"[{address}]:" in text  # the client's own first address, not one of the load generator's


def test_appliance_has_no_address(lab):
    text = run("ip", "-n", lab.env["APPLIANCE_NS"], "-br", "address").stdout
    assert "client0" in text and "server0" in text
    assert "." not in text.replace("@if", "") and "fe80" not in text


def test_stack_namespace_is_empty(lab):
    links = run("ip", "-n", lab.env["STACK_NS"], "-br", "link").stdout.splitlines()
    assert [line.split()[0] for line in links] == ["lo"]


def test_frames_leave_with_whole_checksums(lab):
    for namespace in (lab.env["CLIENT_NS"], lab.env["SERVER_NS"]):
        text = run("ip", "netns", "exec", namespace, "ethtool", "-k", "eth0").stdout
        assert "tx-checksumming: off" in text


@pytest.mark.parametrize("tags", ["100", "100.200"])
def test_a_vlan_carries_both_families(lab, tags):
    lab.command("vlan", "up", tags)
    try:
        env = lab.env
        assert env["VLAN_TAGS"] == tags
        for server in (env["VLAN_SERVER_IP4"], f"[{env['VLAN_SERVER_IP6']}]"):
            size = lab.curl("--connect-to", f"::{server}:443", "https://www.good.lab.test/bytes/3000000",
                            "-o", "/dev/null", "-w", "%{size_download}").stdout
            assert size == "3000000"
    finally:
        lab.command("vlan", "down")
    assert "VLAN_TAGS" not in lab.env


# Prints the first frame of a VLAN behind its addresses, the tag included that the kernel gives as auxiliary data.
SHOW_TAGGED_FRAME = """
import socket, struct
SOL_PACKET, PACKET_AUXDATA, TP_STATUS_VLAN_VALID = 263, 8, 16
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
link.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
link.bind(("server0", 0))
link.settimeout(20)
print("listening", flush=True)
tag = b""
while not tag:
    frame, ancillary, _, _ = link.recvmsg(2000, 200)
    for _, _, data in ancillary:
        status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", data[:20])
        if status & TP_STATUS_VLAN_VALID:
            tag = struct.pack(">HH", tpid, tci)
print((tag + frame[12:20]).hex())
"""


@pytest.mark.parametrize("tags, on_the_wire", [("100", "81000064"), ("100.200", "88a80064810000c8")])
def test_vlan_frames_have_these_tags_on_the_wire(lab, tags, on_the_wire):
    watcher = subprocess.Popen(
        ["ip", "netns", "exec", lab.env["APPLIANCE_NS"], "/usr/bin/python3", "-c", SHOW_TAGGED_FRAME],
        stdout=subprocess.PIPE, text=True)
    try:
        assert watcher.stdout.readline() == "listening\n"
        lab.command("vlan", "up", tags)
        assert watcher.stdout.readline().startswith(on_the_wire)
    finally:
        watcher.kill()
        watcher.wait()
        lab.command("vlan", "down")


@pytest.mark.parametrize("tags, reached", [("100", True), ("101", False), ("100.200", False), ("200.100", False)])
def test_only_the_same_tags_meet(lab, tags, reached):
    """The client is under tag 100; the server gives its own up for |tags|."""
    lab.command("vlan", "up", "100")
    server = lab.env["VLAN_SERVER_IP4"]
    try:
        os.kill(int((lab.directory / "run/vlan-server.pid").read_text().split()[0]), signal.SIGKILL)
        program = pathlib.Path(lab.env["BUILD_DIR"]) / "tests/lab/mintgate-lab-vlan-tap"
        inside = ["ip", "netns", "exec", lab.env["SERVER_NS"]]
        with subprocess.Popen([*inside, program, "--link", "eth0", "--tap", "vlan1", "--tags", tags]) as tap:
            run(*inside, "sh", "-c", "until ip link show vlan1; do sleep 0.05; done; ip link set vlan1 up;"
                f" ip address add {server}/16 dev vlan1")
            result = lab.curl(f"http://{server}/", "-o", "/dev/null", "--max-time", "20" if reached else "1",
                              check=False)
            tap.kill()
        assert result.returncode in ((0,) if reached else (7, 28))
    finally:
        lab.command("vlan", "down")


def test_a_process_of_unknown_start_is_no_process_of_ours(tmp_path):
    """It ended before its start time could be read; its id may be another's by now."""
    (tmp_path / "gone.pid").write_text("999999999 \n")
    (tmp_path / "other.pid").write_text(f"{os.getpid()} 1\n")
    script = f"run_dir={tmp_path}; . {ROOT}/scripts/lib/process.sh; process_pid gone || process_pid other"
    assert run("bash", "-c", script, check=False).returncode == 1
