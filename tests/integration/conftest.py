# SPDX-License-Identifier: Apache-2.0
"""The engine and the signer in a lab of the tests' own."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from labkit import MintgateLab  # noqa: E402
from rawclient import Host  # noqa: E402
from restkit import Appliance  # noqa: E402
from wire import Wire  # noqa: E402


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """Mintgate in the wire, up for the whole session. A test that changes the configuration puts it back."""
    made = MintgateLab(f"mgi{os.getpid()}-", tmp_path_factory.mktemp("lab"))
    try:
        made.command("up")
        yield made
    finally:
        made.command("down")
    for log in (made.directory / "log").glob("*.log"):
        text = log.read_text(errors="replace")
        assert "Sanitizer" not in text, f"{log}: a sanitizer complained"


@pytest.fixture(scope="module")
def without_control(lab):
    """The lab's own control plane makes room for one that a test plays itself."""
    with lab.without_control():
        yield


@pytest.fixture(scope="module")
def roots(lab, authority, tmp_path_factory):
    """What a client trusts who knows the module's authority too."""
    path = tmp_path_factory.mktemp("roots") / "roots.pem"
    path.write_text(authority.pem() + pathlib.Path(lab.env["ROOT_PEM"]).read_text())
    return str(path)


@pytest.fixture(scope="module")
def appliance(tmp_path_factory):
    """A signer and a control plane of the module's own, without a lab."""
    made = Appliance(tmp_path_factory.mktemp("appliance"))
    yield made
    made.stop()


@pytest.fixture
def wire(lab):
    """Both ends of the lab's wire, by hand."""
    made = Wire(lab)
    yield made
    made.close()


@pytest.fixture(scope="session")
def raw_client(lab):
    """A client on the wire whose every segment the test decides."""
    with Host(lab, "client") as host:
        yield host


@pytest.fixture(scope="session")
def raw_server(lab):
    """A server likewise."""
    with Host(lab, "server") as host:
        yield host
