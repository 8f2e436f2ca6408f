"""What holds for all tests, if any of these run: they come first."""

import pytest

from landmark_heatmap import command_line


@pytest.fixture(autouse=True, scope="session")
def commands_leave_the_memory_of_the_tests_alone():
    """A command that a test runs in its own process would keep what it frees, for all tests that follow;
    some of them measure memory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command_line, "keep_freed_memory", lambda: False)
        yield
