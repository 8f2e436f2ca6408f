"""What the views show."""

from __future__ import annotations

import slicer

from .stand_ins import put_synthetic_hip


class OverlayAndViewsTests:
    def test_the_overlay_follows_the_panel(self):
        volume, truth = put_synthetic_hip()
        panel = self.openPanel(truth)
        result = self.detect(panel, volume)
        composite = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")[0]
        panel.ui.channelComboBox.setCurrentIndex(1)
        self.assertEqual(composite.GetForegroundVolumeID(), result.combined_node.GetID())
        panel.ui.channelComboBox.setCurrentIndex(0)
        panel.ui.reviewTable.setCurrentCell(2, 0)
        channel = result.heatmap_node(result.landmarks.names[2])
        self.assertEqual(composite.GetForegroundVolumeID(), channel.GetID())
        panel.ui.opacitySlider.value = 0.25
        self.assertAlmostEqual(composite.GetForegroundOpacity(), 0.25)
        panel.ui.thresholdSlider.value = 0.5
        self.assertAlmostEqual(channel.GetDisplayNode().GetLowerThreshold(), 0.5)
        panel.ui.showHeatmapsCheckBox.checked = False
        self.assertIsNone(composite.GetForegroundVolumeID())

    def test_contours_follow_the_landmark_under_review(self):
        from LandmarkHeatmapLib.display.contours import contour_nodes

        volume, truth = put_synthetic_hip()
        panel = self.openPanel(truth)
        result = self.detect(panel, volume)
        panel.ui.reviewTable.setCurrentCell(2, 0)
        inner, outer = contour_nodes(result)
        self.assertTrue(inner.GetDisplayNode().GetVisibility2D())
        self.assertFalse(inner.GetDisplayNode().GetVisibility3D())
        self.assertGreater(outer.GetPolyData().GetNumberOfPolys(), 10)
        first = inner.GetPolyData()
        panel.ui.reviewTable.setCurrentCell(3, 0)
        self.assertIsNot(inner.GetPolyData(), first)
        panel.ui.show3DCheckBox.checked = True
        self.assertTrue(inner.GetDisplayNode().GetVisibility3D())
        panel.ui.showContoursCheckBox.checked = False
        self.assertFalse(inner.GetDisplayNode().GetVisibility2D())
        panel.ui.show3DCheckBox.checked = False
        self.assertFalse(inner.GetDisplayNode().GetVisibility())
