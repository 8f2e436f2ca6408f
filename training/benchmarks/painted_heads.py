"""Heads to put around a brain: label maps of people, painted with a grey a label as in T1-weighted MR.

    python training/benchmarks/painted_heads.py TEMPLATE LABEL_MAPS --output NEW_FOLDER

TEMPLATE: a folder with one annotated volume of a brain that was cut out. LABEL_MAPS: a folder of NIfTI
files, labels as of SynthSeg, which go on outside of the brain. Each map is laid over the template by an
affine map of the brains' masks, painted, and written with the template's landmarks: for
`landmark-train warp --around`. A map whose brain does not come to lie on the template's is left out.
The brain itself is painted so that it is as bright as the template's, for it will be covered by that.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from landmark_heatmap.annotation.annotation_files import write_annotation
from landmark_heatmap.images.imageio import image_stem
from landmark_training.data.cases import find_cases
from landmark_training.outputs import new_folder

BRAIN = [*range(2, 6), 7, 8, *range(10, 19), 26, 28, *range(41, 45), *range(46, 48), *range(49, 55)]
BRAIN += [58, 60]
# Fluid outside of the brain, soft tissue, fat, bone, marrow; any other label gets a random grey.
GREYS = {0: 0.0, 24: 0.12, 507: 0.45, 511: 0.85, 515: 0.12, 516: 0.6}
# The rim of the painted brain is as dark as fluid: where the template is smaller, it looks on.
RIM, RIM_MM, INSIDE = 0.12, 5.0, 1.0
# Of the registration of masks: mm of its grid, and the mean square above which it has failed.
COARSE_MM, WORST = 4.0, 0.02
# What the template shows at least where there is brain, as a share of its range.
SHOWN = 0.15
# The heads' own extent about the template's origin, LPS mm.
LOW, SIZE = (-110, -130, -140), [220, 260, 250]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("template", type=Path)
    parser.add_argument("label_maps", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    (case,) = find_cases([args.template])
    template = sitk.ReadImage(str(case.image_path), sitk.sitkFloat32)
    shown = SHOWN * float(sitk.GetArrayViewFromImage(template).max())
    mask = sitk.BinaryFillhole(sitk.Cast(template > shown, sitk.sitkUInt8))
    folder = new_folder(args.output)
    for number, path in enumerate(sorted(args.label_maps.glob("*.nii.gz"))):
        labels = sitk.Cast(sitk.ReadImage(str(path)), sitk.sitkInt16)
        onto, left = laid_over(mask, labels)
        print(f"{path.name}: {left:.4f} {'left out' if left > WORST else ''}", flush=True)
        if left <= WORST:
            head = painted(labels, onto, mask, np.random.default_rng(number))
            name = f"head-{image_stem(path)}"
            sitk.WriteImage(head, str(folder / f"{name}.nrrd"), True)
            write_annotation(folder / f"{name}.mrk.json", case.annotation)


def laid_over(mask, labels) -> tuple:
    """(the affine map from the template to the labels' space, the mean square of what does not agree)."""
    brain = like(np.isin(sitk.GetArrayViewFromImage(labels), BRAIN).astype(np.uint8), labels)
    brain = sitk.BinaryFillhole(sitk.BinaryMorphologicalClosing(brain, [2] * 3))
    fixed, moving = coarse(mask), coarse(brain)
    how = sitk.CenteredTransformInitializerFilter.MOMENTS
    found = sitk.CenteredTransformInitializer(fixed, moving, sitk.AffineTransform(3), how)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMeanSquares()
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(4.0, 1e-3, 150)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(found, True)
    method.Execute(fixed, moving)
    return found, method.GetMetricValue()


def coarse(mask):
    smooth = sitk.SmoothingRecursiveGaussian(sitk.Cast(mask, sitk.sitkFloat32), 3.0)
    size = [int(n * mm / COARSE_MM) for n, mm in zip(smooth.GetSize(), smooth.GetSpacing())]
    grid = sitk.Image(size, sitk.sitkFloat32)
    grid.SetSpacing([COARSE_MM] * 3)
    grid.SetOrigin(smooth.GetOrigin())
    grid.SetDirection(smooth.GetDirection())
    return sitk.Resample(smooth, grid, sitk.Transform(), sitk.sitkLinear)


def painted(labels, onto, mask, random):
    """The head in the template's space, 0 to 250."""
    array = sitk.GetArrayFromImage(labels)
    greys = np.zeros(array.max() + 1, np.float32)
    for label in np.unique(array):
        usual = GREYS.get(int(label))
        noisy = random.uniform(0.1, 0.8) if usual is None else usual + random.normal(0, 0.08)
        greys[label] = np.clip(noisy, 0, 1) if label else 0
    greys[[label for label in BRAIN if label < len(greys)]] = RIM
    smooth = sitk.SmoothingRecursiveGaussian(like(greys[array], labels), random.uniform(0.4, 0.8))
    grid = sitk.Image(SIZE, sitk.sitkFloat32)
    grid.SetOrigin(LOW)
    head = sitk.Resample(smooth, grid, onto, sitk.sitkLinear, 0.0)
    deep = sitk.SignedMaurerDistanceMap(mask, True, False, True) > RIM_MM
    deep = sitk.Resample(deep, grid, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    values = sitk.GetArrayFromImage(head)
    values[sitk.GetArrayViewFromImage(deep) > 0] = INSIDE
    return like((values.clip(0, 1) * 250).astype(np.uint8), head)


def like(array, image):
    made = sitk.GetImageFromArray(array)
    made.CopyInformation(image)
    return made


if __name__ == "__main__":
    main()
