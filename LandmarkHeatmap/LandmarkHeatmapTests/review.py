"""The review: rows, buttons, keys, undo."""

from __future__ import annotations

from .stand_ins import drag, put_synthetic_hip


class ReviewTests:
    def test_a_row_follows_the_landmark_and_undo_takes_back_each_step(self):
        from landmark_heatmap.dataset.record import Review

        volume, truth = put_synthetic_hip()
        panel = self.openPanel(truth)
        result = self.detect(panel, volume)
        first, second = result.landmarks.names[:2]
        panel.ui.reviewTable.setCurrentCell(1, 0)
        self.assertEqual(panel.review.session.current, second)
        self.assertEqual(panel.parameterNode.landmark, second)
        panel.ui.previousButton.click()
        self.assertEqual(panel.ui.reviewTable.currentRow(), 0)
        drag(result, first)
        panel.ui.absentButton.click()
        self.assertIs(result.review(first), Review.MARKED_ABSENT)
        panel.ui.undoButton.click()
        self.assertIs(result.review(first), Review.CORRECTED)
        panel.ui.undoButton.click()
        self.assertIs(result.review(first), Review.UNTOUCHED)
        self.assertFalse(panel.ui.undoButton.enabled)
        panel.ui.redoButton.click()
        self.assertIs(result.review(first), Review.CORRECTED)

    def test_the_keys_are_there_in_the_module_only(self):
        from LandmarkHeatmapPanel.reviewing.keys import SHORTCUTS

        panel = self.openPanel()
        self.assertTrue(set(SHORTCUTS.values()) <= set(self.keysOf(panel)))
        panel.exit()
        self.addCleanup(panel.enter)
        self.assertEqual(set(SHORTCUTS.values()) & set(self.keysOf(panel)), set())

    def test_what_breaks_the_shape_is_named_until_it_is_judged(self):
        volume, truth = put_synthetic_hip()
        panel = self.openPanel(truth)
        result = self.detect(panel, volume)
        panel.ui.deskTabs.setCurrentWidget(panel.ui.reviewTab)
        odd = result.landmarks.names[-1]
        # The landmark that the stand-in says is 14 mm from where the others have it.
        self.assertIn(odd, panel.ui.shapeLabel.toolTip)
        self.assertIn("14 mm", panel.ui.shapeLabel.toolTip)
        # After a detection it is the first to be looked at.
        self.assertEqual(panel.review.session.current, odd)
        row = panel.ui.reviewTable.currentRow()
        self.assertEqual(panel.ui.reviewTable.item(row, 0).text(), "!")
        self.assertEqual(panel.ui.reviewTable.item(row, 2).text(), "8.0 mm")
        panel.ui.confirmButton.click()
        self.assertNotIn(odd, panel.ui.shapeLabel.toolTip)

    def test_what_would_follow_a_drag_is_taken_and_undone_in_one_step(self):
        from landmark_heatmap.dataset.record import Review

        self.keepSetting("LandmarkHeatmap/FollowByItself")
        volume, truth = put_synthetic_hip()
        panel = self.openPanel(truth)
        panel.ui.followCheckBox.checked = False
        panel.detection.queue.client.follow_mm = 20.0
        result = self.detect(panel, volume)
        panel.ui.reviewTable.setCurrentCell(0, 0)
        current, other = result.landmarks.names[:2]
        drag(result, current)
        self.waitFor(lambda: panel.ui.followButton.enabled)
        self.assertIn("would follow", panel.ui.proposalLabel.toolTip)
        dragged = result.positions_lps()
        panel.ui.followButton.click()
        moved = abs(result.positions_lps() - dragged).max(axis=1)
        self.assertAlmostEqual(moved[result.landmarks.index(other)], 20.0, places=3)
        self.assertEqual(moved[result.landmarks.index(current)], 0.0)
        self.assertIs(result.review(other), Review.UNTOUCHED)
        panel.ui.undoButton.click()
        self.assertEqual(abs(result.positions_lps() - dragged).max(), 0.0)
        drag(result, current)
        self.waitFor(lambda: panel.ui.followButton.enabled)
        panel.ui.stayButton.click()
        self.assertFalse(panel.ui.followButton.enabled)
