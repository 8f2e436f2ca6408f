"""The list of cases: one is opened after another, exported, and left to the next."""

from __future__ import annotations

from contextlib import contextmanager

import qt
import slicer
from slicer.i18n import tr as _

from landmark_heatmap.dataset.folder import is_dataset
from landmark_heatmap.errors import DatasetError
from landmark_heatmap.worklist.entries import CaseState, Worklist
from landmark_heatmap.worklist.locks import REFRESH_S
from landmark_heatmap.worklist.order import ORDERS, in_order
from landmark_heatmap.worklist.remarks import clear_remark, set_remark

from ..section import Section
from ..texts import FixedText
from ..widgets import fill, keep_setting, select, setting, showing_errors
from ..working.at_work import AtWork
from ..working.cases_table import CasesTable, told
from ..working.in_hand import telling_of_the_drive

# After a folder was typed, until it is looked into.
_TYPING_MS = 700
_ORDER_TEXTS = {"name": "By name", "teaching": "What teaches most"}
_ORDER_TIP = (
    "In which order they are worked on. What teaches most: first images that are unlike those that the"
    " model was trained on, then those where landmarks break the shape, then those where the model"
    " expects to be farthest off; cases that no model has looked at yet come after those, and what is"
    " done comes last."
)


class WorklistSection(Section):
    """Folders and order belong to the user. at_work: an AtWork, what is done with the cases."""

    def __init__(self, ui, state, logic):
        super().__init__(ui, state, logic)
        self.at_work = AtWork(state, logic, lambda: ui.annotatorLineEdit.text)
        self._entries, self._table = [], CasesTable(ui)
        self._info = FixedText(ui.caseInfoLabel, lines=2)
        self._count, self._bar = FixedText(ui.casesCountLabel), FixedText(ui.caseLabel)
        fill(ui.casesOrderComboBox, [(_(_ORDER_TEXTS[order]), order) for order in ORDERS])
        select(ui.casesOrderComboBox, self._order)
        ui.casesOrderComboBox.toolTip = _(_ORDER_TIP)
        ui.casesFolderPathLineEdit.currentPath = setting("ImageFolder")
        ui.casesDatasetPathLineEdit.currentPath = setting("DatasetFolder")
        self._soon, self._alive = qt.QTimer(), qt.QTimer()
        self._soon.setSingleShot(True)
        self._soon.setInterval(_TYPING_MS)
        self._alive.setInterval(1000 * REFRESH_S)
        self._connect()

    def _connect(self) -> None:
        ui = self.ui
        self._soon.connect("timeout()", self.look_again)
        self._alive.connect("timeout()", self._keep_alive)
        self._table.chosen.connect(self._show_chosen)
        self._table.opened.connect(self.open)
        self.at_work.told.connect(self.told.emit)
        self.at_work.left.connect(self.show)
        self.at_work.ahead.failed.connect(self._on_ahead_failed)
        ui.casesFolderPathLineEdit.connect("currentPathChanged(QString)", self._on_images_chosen)
        ui.casesDatasetPathLineEdit.connect("currentPathChanged(QString)", self._on_dataset_chosen)
        ui.datasetPathLineEdit.connect("currentPathChanged(QString)", self._on_dataset_of_export)
        ui.casesOrderComboBox.connect("currentIndexChanged(int)", self._on_order_chosen)
        ui.casesRefreshButton.connect("clicked(bool)", lambda checked=False: self.look_again())
        ui.openCaseButton.connect("clicked(bool)", self._on_open_button)
        ui.readAnewButton.connect("clicked(bool)", self._on_anew_button)
        ui.putBackButton.connect("clicked(bool)", lambda checked=False: self.put_back())
        ui.nextCaseButton.connect("clicked(bool)", lambda checked=False: self.next())
        ui.remarkButton.connect("clicked(bool)", self._on_remark_button)
        ui.deskTabs.connect("currentChanged(int)", self._on_tab_chosen)

    def update(self) -> None:
        self.at_work.let_go_of_removed()
        self._show_bar()

    def forget(self) -> None:
        self.at_work.ahead.drop()
        self.at_work.hand.let_go_of_all()

    def close(self) -> None:
        self._soon.stop()
        self._alive.stop()
        self.at_work.ahead.close()
        self.at_work.hand.let_go_of_all()

    # --- the list

    def look_again(self) -> None:
        """Look into both folders, for images and for what others have done."""
        self._soon.stop()
        with self._trying(_("The cases could not be listed.")), slicer.util.WaitCursor():
            self.at_work.work_on(self._listed())
            self._alive.start()
        self.show()

    def show(self) -> None:
        """The list as it lies on the disk now."""
        self._entries, worklist = [], self.at_work.worklist
        if worklist is not None:
            with self._trying(_("The cases could not be listed.")):
                self._entries = in_order(worklist.entries(), self._order)
        self._table.show(self._entries, self.at_work.hand.cases, self.at_work.ahead.case)
        self._show_chosen()
        self._show_bar()

    def _listed(self):
        """None where no folder is chosen."""
        images = self.ui.casesFolderPathLineEdit.currentPath
        dataset = self.ui.casesDatasetPathLineEdit.currentPath
        if not images and not (dataset and is_dataset(dataset)):
            return None
        if not dataset:
            raise DatasetError(_("Choose a dataset folder to export to."))
        return Worklist(dataset, images or None)

    def title_of(self, case: str) -> str:
        """What the user calls a case: as the list does, if it is on it."""
        return next((each.title for each in self._entries if each.case == case), case)

    @property
    def _order(self) -> str:
        kept = setting("CasesOrder", ORDERS[0])
        return kept if kept in ORDERS else ORDERS[0]

    def _chosen(self):
        return next((each for each in self._entries if each.case == self._table.current), None)

    def _show_chosen(self) -> None:
        entry = self._chosen()
        self._info.show("" if entry is None else told(entry))
        self.ui.openCaseButton.enabled = self.ui.remarkButton.enabled = entry is not None
        self.ui.readAnewButton.enabled = entry is not None and entry.revision > 0

    def _show_bar(self) -> None:
        work, entries = self.at_work.current, self._entries
        done = sum(entry.state is CaseState.DONE for entry in entries)
        count = _("{done} of {total} done").format(done=done, total=len(entries)) if entries else ""
        self._count.show(count or _("Choose the folders; then open a case."))
        self._bar.show(count if work is None else f"{work.title}: {count}")
        self.ui.caseWidget.setVisible(bool(entries))
        self.ui.putBackButton.enabled = work is not None

    # --- one case

    def open(self, case: str, afresh: bool = False) -> None:
        """Open a case, unless somebody else has it. afresh: without what was judged in it before."""
        with self._trying(_("The case was not opened.")):
            self.at_work.open(case, afresh)
        self._show_current()

    def next(self) -> None:
        """Export the case that is open, if anything was done in it, and open the next free one."""
        with self._trying(_("The next case was not opened.")):
            self.at_work.next(self._order)
        self._show_current()

    def put_back(self) -> None:
        with self._trying(_("The case was not put back.")):
            self.at_work.put_back()
        self.changed.emit()
        self.show()

    def exported(self, export, revision) -> None:
        """A CaseExport is on the disk; revision: its folder."""
        self.at_work.exported(export, revision)
        self.show()

    def foresee(self, results) -> None:
        """A model has looked at these."""
        with self._trying(_("The worklist was not written.")):
            self.at_work.foresee(results)
        self._look_ahead()

    def _look_ahead(self) -> None:
        """What comes next is made ready while nothing else is to be done."""
        with self._trying(_("The next case cannot be made ready.")):
            self.at_work.look_ahead(self._order)
        if self.at_work.worklist is not None:
            self.show()

    def _on_ahead_failed(self, text):
        """The one after it may be read."""
        self.told.emit(_("The next case cannot be opened: {why}").format(why=text))
        self._look_ahead()

    def _show_current(self) -> None:
        if self.at_work.current is not None:
            self._table.go_to(self.at_work.current.case)
        self.show()
        # What was opened is drawn first.
        qt.QTimer.singleShot(0, self._look_ahead)

    def _keep_alive(self) -> None:
        with self._trying(_("The locks of the open cases were not kept.")):
            self.at_work.keep_alive()
        self.show()

    @contextmanager
    def _trying(self, failed: str):
        with showing_errors(failed, self.told.emit), telling_of_the_drive():
            yield

    # --- the widgets

    def _on_tab_chosen(self, index):
        """What is remembered is looked into when it is looked at, not when Slicer starts."""
        if self.ui.deskTabs.currentWidget() is not self.ui.casesTab or not self.state.node:
            return
        if self.at_work.worklist is None:
            self.look_again()
        else:
            self.show()

    def _on_images_chosen(self, path):
        keep_setting("ImageFolder", path)
        self._soon.start()

    def _on_dataset_chosen(self, path):
        if self.ui.datasetPathLineEdit.currentPath != path:
            self.ui.datasetPathLineEdit.currentPath = path
        self._soon.start()

    def _on_dataset_of_export(self, path):
        if self.ui.casesDatasetPathLineEdit.currentPath != path:
            self.ui.casesDatasetPathLineEdit.currentPath = path

    def _on_order_chosen(self, index):
        keep_setting("CasesOrder", self.ui.casesOrderComboBox.currentData)
        self.at_work.look_elsewhere()
        self._look_ahead()

    def _on_open_button(self, checked=False):
        if self._table.current is not None:
            self.open(self._table.current)

    def _on_anew_button(self, checked=False):
        if self._table.current in self.at_work.hand.cases:
            self.told.emit(_("This case is open already: export it, or put it back."))
        elif self._table.current is not None:
            self.open(self._table.current, afresh=True)

    def _on_remark_button(self, checked=False):
        """The same once more, or without a text, takes it back."""
        entry, text = self._chosen(), self.ui.remarkLineEdit.text
        with self._trying(_("The remark was not kept.")):
            dataset = self.at_work.worklist.dataset
            if entry.state is CaseState.ANOTHER_LOOK and text in ("", entry.remark):
                clear_remark(dataset, entry.case)
            else:
                set_remark(dataset, entry.case, text, self.ui.annotatorLineEdit.text)
            self.ui.remarkLineEdit.text = ""
        self.show()
