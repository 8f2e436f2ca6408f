"""The synthetic hip as nobody has trained for it: lying on its side."""

import numpy as np
import SimpleITK as sitk

from landmark_heatmap.images.geometry import Image
from landmark_heatmap.synthetic.hip import make_synthetic_hip


def turned_hip(seed: int, degrees: float, axis=(0.0, 1.0, 0.0)):
    """(Image, positions {name: (3,), LPS}) of a whole pelvis, turned about an axis through the middle."""
    hip = make_synthetic_hip(seed, whole_pelvis=True)
    image = sitk.GetImageFromArray(hip.image.array)
    image.SetSpacing(hip.image.grid.spacing_mm.tolist())
    middle = (np.array(hip.image.grid.size_ijk) - 1) / 2 * hip.image.grid.spacing_mm
    turn = sitk.VersorRigid3DTransform(axis, np.radians(degrees))
    turn.SetCenter(middle.tolist())
    lowest = float(hip.image.array.min())
    turned = sitk.Resample(image, image, turn, sitk.sitkLinear, lowest, image.GetPixelID())
    back = np.array(turn.GetMatrix()).reshape(3, 3).T
    positions = {}
    for name in hip.annotation.names:
        at = hip.image.grid.to_ijk(hip.annotation.position_lps(name)) * hip.image.grid.spacing_mm
        index = (back @ (at - middle) + middle) / hip.image.grid.spacing_mm
        positions[name] = hip.image.grid.to_lps(index)
    return Image(sitk.GetArrayFromImage(turned), hip.image.ijk_to_lps), positions
