"""The panel of the module. Beside the module file the only place that knows qt.

`desk.Desk` is the whole panel: it makes the sections, connects them, and lets them follow the scene.
A section (`section.Section`) is one part of it, in a file of its own in `sections/`:

- it is given its widgets (`ui`), the `state` and the `logic`, and nothing else;
- it reads and writes the state, whose parameter node lies in the scene, and `update` makes its
  widgets agree with it; after any change of the parameter node the desk calls all of them;
- what is not in the state it tells through a Signal, and the desk connects that with who has to
  know; a sentence for the user through `told`, which the line at the panel's foot shows. No section
  imports or calls another: a test sees to it;
- none of its texts changes its height (`texts.FixedText`), and what takes long is made in steps
  (`in_steps.InSteps`);
- it keeps nothing that the scene or the user's settings could keep.

To add a section: its widgets into Resources/UI/LandmarkHeatmap.ui, on the tab where the work is that
it serves (what is shown after Detect: `Desk._begin_review`), what
it remembers as a field of LandmarkHeatmapParameterNode (state.py), a file with a class in `sections/`,
a line in `Desk`. What takes more than a section's file has a folder: `detecting/` the queue,
`reviewing/` table and keys. `logic`, `models` and `detecting/packages` are what scripts reach through
LandmarkHeatmapLogic.
"""
