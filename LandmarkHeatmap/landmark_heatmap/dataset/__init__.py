"""The dataset folder: what the Slicer module exports and training reads.

    DATASET/
      dataset.json                    schema, name, the landmark set
      README.txt                      what this folder is, for the person who finds it
      cases/CASE/
        image.nrrd                    the image, once (image-2.nrrd ... if another one comes)
        revision-001/
          landmarks.mrk.json          the points as they stood, LPS, mm
          prediction.mrk.json         what the model had said, if a model was used
          record.json                 who, when, which model, what was done to each point
        revision-002/ ...             a later export of the same case; nothing is ever overwritten
      worklist/                       who works on what just now; see landmark_heatmap/worklist

A revision is written to the side and renamed into place whole: there is none that is half written.
The newest revision is the one that counts.
"""
