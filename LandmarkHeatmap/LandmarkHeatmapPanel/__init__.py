"""The sections of the panel, one file each. Beside the module file the only place that knows qt.

A section is made once with the module's widget (`panel`), connects its own widgets of the .ui, and
has an `update` that makes them agree with the scene; `panel.parameterNode`, `panel.result()` and
`panel.logic` are what it reads. Nothing here is kept that the scene or the settings could keep.
"""
