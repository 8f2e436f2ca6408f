"""The module's own test, which runs inside Slicer, run in the host too: the same story."""

import unittest

import slicer


def test_the_modules_own_test_passes_in_the_host(host, module, monkeypatch):
    monkeypatch.setattr(type(slicer.app), "testingEnabled", lambda app: True)
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(module.LandmarkHeatmapTest)
    result = unittest.TestResult()
    suite.run(result)
    assert [text for _test, text in result.errors + result.failures] == []
    assert result.testsRun > 3
