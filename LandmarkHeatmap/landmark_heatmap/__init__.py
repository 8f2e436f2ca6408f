"""Multi-landmark heatmap detection in 2D and 3D images.

This package is pure: numpy, SimpleITK and torch, never slicer, vtk or qt. Both the Slicer module
and the training pipeline stand on it. Modules that need no torch (geometry, landmarks,
annotations, heatmap decoding, dataset folders, evaluation) import none, so that review, export and
comparison work in a Slicer without torch.

Positions and affines are in mm in the LPS frame of ITK and DICOM unless a name says RAS.
"""

__version__ = "0.1.0"
