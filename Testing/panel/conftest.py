"""One Slicer-like application for the whole run; scene, settings and panel are new for each test."""

import pytest

pytest.importorskip("slicer_core")
pytest.importorskip(
    "PySide6.QtWidgets", reason="needs PySide6-Essentials and its libraries", exc_type=ImportError
)

from headless.scene import Complaints  # noqa: E402
from qt_host.application import the_host  # noqa: E402


@pytest.fixture
def complaints():
    """What VTK, slots and observers complained of during the test."""
    with Complaints() as heard:
        yield heard


@pytest.fixture
def host(complaints):
    """The application with an empty scene; a test fails on any error that is only printed."""
    host = the_host()
    host.start_afresh()
    yield host
    host.start_afresh()
    assert complaints.texts == []


@pytest.fixture
def module(host):
    """The module file, imported as Slicer does."""
    return host.load()


@pytest.fixture
def panel(host):
    """The module's panel, opened."""
    return host.open()
