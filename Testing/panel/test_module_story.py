"""The module's own tests, which run inside Slicer, run in the host too: the same story."""

import ast
import unittest

import pytest
import slicer

from places import MODULE_FOLDER


@pytest.fixture
def suite(module):
    """The tests as Slicer's CTest finds them: by the name of the module, with unittest."""
    return unittest.defaultTestLoader.loadTestsFromName("LandmarkHeatmap")


def names_in(suite) -> list:
    """The names of the tests in a suite that are the module's own, sorted."""
    if isinstance(suite, unittest.TestSuite):
        return sorted(name for part in suite for name in names_in(part))
    owner, _, name = suite.id().rpartition(".")
    return [name] if owner.endswith("LandmarkHeatmapTest") else []


def test_every_test_of_every_file_is_found_by_the_modules_name(suite):
    written = [
        node.name
        for path in (MODULE_FOLDER / "LandmarkHeatmapTests").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    assert len(written) >= 15
    assert sorted(written) == names_in(suite)


def test_reload_and_test_runs_the_same(module, suite, monkeypatch):
    ran = []

    class Runner(unittest.TextTestRunner):
        def run(self, test):
            ran.extend(names_in(test))
            result = unittest.TestResult()
            result.testsRun = len(ran)
            return result

    monkeypatch.setattr(unittest, "TextTestRunner", Runner)
    module.LandmarkHeatmapTest().runTest()
    assert ran == names_in(suite)


def test_the_modules_own_tests_pass_in_the_host(host, suite, monkeypatch):
    monkeypatch.setattr(type(slicer.app), "testingEnabled", lambda app: True)
    there = names_in(suite)
    result = unittest.TestResult()
    suite.run(result)
    assert [text for _test, text in result.errors + result.failures] == []
    assert result.testsRun >= len(there) > 0
