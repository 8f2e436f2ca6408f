"""Opening, leaving, and going on to the next case of a worklist: all but the widgets."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

from landmark_heatmap.dataset.folder import is_dataset, read_landmark_set
from landmark_heatmap.detection.suits import told_unusual
from landmark_heatmap.files import real_path
from landmark_heatmap.images.imageio import read_image
from landmark_heatmap.registering.models import is_registered
from landmark_heatmap.worklist.foreseen import keep_foreseen
from landmark_heatmap.worklist.locks import CaseLock, holder_of
from landmark_heatmap.worklist.order import take_next
from LandmarkHeatmapLib.case_at_work import image_to_open, open_case
from LandmarkHeatmapLib.review.by_hand import begin_by_hand
from LandmarkHeatmapLib.volumes import grid_of

from ..section import Signal
from .ahead import Ahead
from .in_hand import InHand, release


class AtWork:
    """The cases that are open in the scene, one of which is looked at.

    worklist: a Worklist, or None. annotator(): who works here. export(then): begins to export what is
    reviewed; returns whether it was begun, and calls then(is_done) when it is on the disk, or cannot
    be. is_detecting(): whether the model is looking at anything just now.

    opened(result): a case with a result is to be shown. begun(result): one that is to be placed by
    hand. detecting(volume): one that the model has to look at. found(volume, queue): one that the model
    has looked at ahead of time, by the worker of that queue. left(): a case was left after its export.
    told(text): for the user.
    """

    def __init__(self, state, logic, annotator):
        self._state, self._logic, self._annotator = state, logic, annotator
        self.opened, self.begun, self.detecting, self.told = (Signal() for _each in range(4))
        self.found, self.left = Signal(), Signal()
        self.export, self.is_detecting = lambda then: False, lambda: False
        self.worklist, self.hand, self._passed, self._written = None, InHand(), set(), []
        # Cases that were under review when one that was done before was opened: the last one is gone
        # back to first.
        self._waiting = []
        self.ahead = Ahead(self.hand)
        self.ahead.ended.connect(self._on_ready)

    def work_on(self, worklist) -> None:
        """Another list, or the same one read anew."""
        before = self.worklist
        is_same = worklist is not None and before is not None
        if not is_same or real_path(before.dataset) != real_path(worklist.dataset):
            self._passed, self._waiting = set(), []
            self.ahead.drop()
        self.worklist = worklist

    @property
    def current(self):
        """The CaseAtWork whose image is chosen, or None; never the one that is being made ready."""
        volume = self._state.node.inputVolume if self._state.node else None
        work = None if volume is None else self.hand.of_volume(volume)
        return None if work is self.ahead.work else work

    @property
    def is_exporting(self) -> bool:
        """Whether a case is on its way to the disk."""
        return bool(self._written)

    # --- what the buttons do

    def open(self, case: str, afresh: bool = False) -> None:
        """Open a case. afresh: without what was judged in it before.

        Raises CaseInWorkError if somebody else has it; DatasetError, AnnotationError or ImageFileError if
        it cannot be read.
        """
        self.let_go_of_removed()
        if afresh and case == self.ahead.case:
            self.ahead.drop()
        work = self.ahead.taken() if case == self.ahead.case else self.hand.get(case)
        lock = None if work is not None else self._locked(case)
        if lock is not None:
            work = self._loaded(lock, afresh)
        if work is not None:
            self._keep_place(work)
            self._show(work)

    def _keep_place(self, work) -> None:
        """Before a case is opened out of turn: of one that was done, the user comes back to what is under
        review now; any other is where the user is from now on."""
        before, waiting = self.current, self._waiting
        if work.case in waiting:
            self._waiting = waiting[: waiting.index(work.case)]
        elif not work.revision:
            self._waiting = []
        elif before not in (None, work, *self._written) and (
            before.is_touched or not before.revision
        ):
            self._waiting = [*waiting, before.case]
        for case in set(waiting) - set(self._waiting):
            other = self.hand.get(case)
            if other not in (None, work, before):
                self._leave(other)

    def _gone_back_to(self):
        """The CaseAtWork that waits for the user to come back, unless it was taken out of the scene; or
        None."""
        while self._waiting:
            work = self.hand.get(self._waiting.pop())
            if work not in (None, self.current, *self._written):
                return work
        return None

    def next(self, order: str) -> None:
        """Export the case that is open, if anything was done to it, and open the next that is free; after
        one that was done before and opened once more, the one that was under review then.

        Raises as `open` does."""
        self.let_go_of_removed()
        work = self.current
        if work is not None:
            if work.is_touched and not self._begin_export(work):
                return
            self._passed.add(work.case)
        back = self._gone_back_to()
        if back is not None:
            self._show(back)
            self.told.emit(_("Back in '{title}'.").format(title=back.title))
            return
        if self.ahead.case is not None:
            self._show(self.ahead.taken())
            return
        lock = self._next_lock(order)
        if lock is None:
            self.told.emit(_("No case is left that is free."))
        else:
            self._show(self._loaded(lock))

    def _begin_export(self, work) -> bool:
        """It stays until it is on the disk, and if that cannot be."""

        def ended(is_done):
            self._written.remove(work)
            if is_done and work is not self.current:
                self._leave(work)
            self.left.emit()

        is_begun = False
        self._written.append(work)
        try:
            is_begun = self.export(ended)
        finally:
            if not is_begun:
                self._written.remove(work)
        return is_begun

    def look_ahead(self, order: str) -> None:
        """Make the next free case ready, if one is under review and nothing else is to be done. Raises
        DatasetError or OSError if it cannot be."""
        if self.current is None or self.ahead.case is not None or self.ahead.is_busy:
            return
        if self.is_detecting():
            return
        lock = self._next_lock(order)
        if lock is not None:
            self._passed.add(lock.case)  # one that cannot be read is not tried again and again
            self.ahead.begin(self.worklist, lock, self._model())

    def look_elsewhere(self) -> None:
        """Another case is to come next."""
        self._passed.discard(self.ahead.case)
        self.ahead.drop()

    def _next_lock(self, order: str):
        if self.worklist is None:
            return None
        left_out = self._passed | self.hand.cases
        return take_next(self.worklist, order, self._annotator(), left_out)

    def _model(self):
        """(path, device) of the model that is to look at new cases, or None."""
        if not self._suits():
            return None
        path = self._logic.modelPath(self._state.node.model)
        # Nobody is asked for packages for what is done by itself.
        if not is_registered(path) and self._logic.missingPackages():
            return None
        return path, self._state.device

    def put_back(self) -> None:
        """Let others have the case that is open; what was done to it stays in its journal."""
        work = self.current
        if work is None:
            return
        if work in self._written:
            self.told.emit(_("It is being exported just now."))
            return
        text = _("'{title}' was put back. What you did in it is offered when you open it again.")
        self.told.emit(text.format(title=work.title) if work.is_touched else "")
        self.hand.let_go(work)
        work.remove()

    # --- what others ask and tell

    def case_of(self, volume_node):
        """(dataset, case) as which a volume is open, or None."""
        work = self.hand.of_volume(volume_node)
        is_open = work is not None and self.worklist is not None
        return (self.worklist.dataset, work.case) if is_open else None

    def revision_before(self, volume_node, folder, case: str):
        """After which revision an export of a volume as a case of a folder comes; None if that does not
        matter, for it was not opened as this case."""
        work = self.hand.of_volume(volume_node)
        if work is None or work.case != case or self.worklist is None:
            return None
        is_there = real_path(folder) == real_path(self.worklist.dataset)
        return work.revision if is_there else None

    def exported(self, export, revision) -> None:
        """A CaseExport is on the disk; revision: its folder."""
        work = self.hand.of_volume(export.result.volume_node)
        if work is not None and revision.parent.name == work.case:
            work.exported(export, int(revision.name.rpartition("-")[2]))

    def let_go_of_removed(self) -> None:
        """Of cases whose volume somebody has taken out of the scene."""
        if self.ahead.work is not None and not self.ahead.work.is_there:
            self.look_elsewhere()
        self.hand.let_go_of_removed()

    def foresee(self, results) -> None:
        """Keep what a model made of cases, for all who work on the dataset. Raises OSError."""
        for result in results:
            work = self.hand.of_volume(result.volume_node)
            if work is not None and result.model is not None:
                models = self._logic.models()
                models = [d for _key, _path, d in models if d.landmarks == result.landmarks]
                grid = grid_of(result.volume_node, result.unit)
                unlike = next(filter(None, (told_unusual(grid, model) for model in models)), "")
                known = (result.landmarks.names, result.doubts(), result.unit, result.model, unlike)
                keep_foreseen(self.worklist.dataset, work.case, *known)

    def keep_alive(self) -> None:
        """Keep the locks alive, and tell of those that somebody has taken over."""
        for work in self.hand.refresh():
            _number, holder = holder_of(self.worklist.dataset, work.case)
            who = holder.told() if holder else _("somebody else")
            text = _("'{title}' was taken over by {who}. Your export will ask what to do.")
            self.told.emit(text.format(title=work.title, who=who))

    # --- inside

    def _locked(self, case: str):
        """None if somebody else has left it in review, and it is not to be taken over."""
        _number, holder = holder_of(self.worklist.dataset, case)
        take_over = holder is not None and holder.is_stale
        if take_over:
            question = _(
                "'{case}' was left in review: {who}. {why} Take it over? What was not exported is not in"
                " the dataset."
            ).format(case=case, who=holder.told(), why=holder.told_silence())
            if not slicer.util.confirmYesNoDisplay(question):
                return None
        return CaseLock.take(self.worklist.dataset, case, self._annotator(), take_over)

    def _loaded(self, lock, afresh: bool = False):
        """The case in the scene, in hand."""
        try:
            with slicer.util.WaitCursor():
                image = read_image(image_to_open(self.worklist, lock))
                work = open_case(slicer.mrmlScene, self.worklist, lock, image, afresh=afresh)
        except BaseException:
            release(lock)
            raise
        self.hand.add(work)
        return work

    def _show(self, work) -> None:
        before = self.current
        self._passed.add(work.case)
        with slicer.util.RenderBlocker():
            slicer.util.setSliceViewerLayers(background=work.volume_node, fit=True)
            results = self._logic.results(work.volume_node)
            if results:
                self.opened.emit(results[-1])
            else:
                self._begin(work)
            if before not in (None, work, *self._written) and before.case not in self._waiting:
                self._leave(before)
        self.found.emit(work.volume_node, self.ahead.queue)
        if work.lock.taken_over_from is not None:
            who = work.lock.taken_over_from.told()
            self.told.emit(
                _("'{title}' was taken over from {who}.").format(title=work.title, who=who)
            )

    def _on_ready(self, results) -> None:
        """It may be shown already."""
        if self.current is None:
            return
        self.found.emit(self.current.volume_node, self.ahead.queue)
        text = _("{count} landmarks detected in '{name}'.")
        for result in results:
            if result.volume_node is self.current.volume_node:
                self.told.emit(text.format(count=len(result.landmarks), name=self.current.title))

    def _begin(self, work) -> None:
        """Nobody has exported it yet: a model looks at it, or its landmarks are placed by hand."""
        self._state.node.inputVolume = work.volume_node
        dataset = self.worklist.dataset
        if self.ahead.is_looking_at(work.volume_node):
            self.told.emit(_("Detecting..."))  # which ends in `ahead.ended`
        elif self._suits():
            self.detecting.emit(work.volume_node)
        elif is_dataset(dataset):
            self.begun.emit(begin_by_hand(work.volume_node, read_landmark_set(dataset)))

    def _suits(self) -> bool:
        """Whether the chosen model knows the landmarks of the dataset."""
        dataset = self.worklist.dataset
        known = {key: d.landmarks.names for key, _path, d in self._logic.models()}
        names = known.get(self._state.node.model)
        if names is None or not is_dataset(dataset):
            return names is not None
        return names == read_landmark_set(dataset).names

    def _leave(self, work) -> None:
        """What was begun and not exported stays open; the rest makes room for the next."""
        if work.is_touched:
            text = _("'{title}' stays open: it was not exported yet.")
            self.told.emit(text.format(title=work.title))
        else:
            self.hand.let_go(work)
            work.remove()
