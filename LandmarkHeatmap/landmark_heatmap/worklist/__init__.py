"""A worklist: images as a list of cases, of which one after another is annotated, by several people.

What is done is told by the dataset itself (landmark_heatmap/dataset), whose records say who and when.
What else has to be known lies in small JSON files beside it, for all who work on this dataset:

    DATASET/worklist/
      CASE.lock-000003.json   who is at the case, or was last: the highest number counts
      CASE.remark.json        that it needs another look, and why
      CASE.foreseen.json      what a model made of its image: how unsure it was, nothing of the image

Each has "schema" (landmark-heatmap-worklist-lock, -remark, -foreseen), "schema_version": 1 and "case".
A lock has "annotator", "host", "token" (of this one taking), "process" (of which start of which
computer; it names nobody), "taken" (ISO 8601, UTC), "revision" (the
newest when it was taken, 0 for none) and "released" (ISO 8601, or null while it is held). A remark has
"text", "annotator", "created" and "revision", after which it was made: a later revision settles it.
What is foreseen has "model" (name, version, sha256), "created", "landmarks", "expected" (as many
lengths, null where none is known), "oddness" (likewise), "unit" ("mm" or "px") and "unlike" (a text).

All of it may be deleted while nobody is at work: the dataset stays what it is.

A case that comes from a folder of images is named after what is in the image's file: the same on all
computers, wherever the drive is mounted, and it says nothing of the patient.
"""
