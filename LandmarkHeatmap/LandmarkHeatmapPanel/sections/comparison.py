"""The comparison with a reference: errors in a table node, their summary in the panel."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

from landmark_heatmap.errors import AnnotationError
from landmark_heatmap.lengths import length
from LandmarkHeatmapLib.comparison import compare

from ..section import Section
from ..texts import FixedText
from ..widgets import showing_errors


class CompareSection(Section):
    """Compares the result that is chosen when the button is clicked, and not before."""

    def __init__(self, ui, state, logic):
        super().__init__(ui, state, logic)
        self._outcome = FixedText(self.ui.comparisonLabel, lines=3)
        self.ui.compareButton.connect("clicked(bool)", self._on_compare_button)

    def update(self) -> None:
        node, result = self.state.node, self.state.result()
        self.ui.compareButton.enabled = bool(result and node.reference)
        self._hide_own_lists()

    def _hide_own_lists(self) -> None:
        """A result is not compared with itself; with another one it may be."""
        result = self.state.result()
        hidden = [] if result is None else [result.markups_node.GetID()]
        proxy = self.ui.referenceSelector.sortFilterProxyModel()
        if list(proxy.hiddenNodeIDs) != hidden:
            proxy.hiddenNodeIDs = hidden

    def _on_compare_button(self, checked=False):
        with showing_errors(_("The comparison failed."), self._outcome.show):
            node, result = self.state.node, self.state.result()
            comparison = compare(result, node.reference, thresholds_in(node.thresholds))
            table = comparison.to_table(slicer.mrmlScene)
            rates = ", ".join(
                _("{rate:.0%} within {threshold:g} mm").format(rate=rate, threshold=threshold)
                for threshold, rate in comparison.sdr.items()
            )
            self._outcome.show(
                _(
                    "Mean radial error {mre} mm over {count} landmarks; {rates}. Table: {table}."
                ).format(
                    mre=length(comparison.mre_mm),
                    count=comparison.count,
                    rates=rates,
                    table=table.GetName(),
                )
            )

    def forget(self) -> None:
        self._outcome.show("")


def thresholds_in(text: str) -> tuple:
    """'2 2.5 3' as numbers, mm. Raises AnnotationError for anything else."""
    try:
        found = tuple(float(word) for word in text.replace(";", " ").split())
    except ValueError:
        found = ()
    if not found or min(found) <= 0:
        raise AnnotationError(
            _("The thresholds are '{text}'; write distances in mm, such as 2 2.5 3 4.").format(
                text=text
            )
        )
    return found
