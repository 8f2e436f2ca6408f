"""Image files with statements in their headers that ITK does not write, made byte by byte."""

import struct
import zlib

import numpy as np
import SimpleITK as sitk


def exif(orientation, order=">", code="H") -> bytes:
    """A block of EXIF that says how the camera was held. code: of its number, as in struct."""
    mark, kind = {">": b"MM\0*", "<": b"II*\0"}[order], {"B": 1, "H": 3, "I": 4}[code]
    value = struct.pack(order + code, orientation).ljust(4, b"\0")
    return mark + struct.pack(order + "IHHHI", 8, 1, 0x112, kind, 1) + value + bytes(4)


def jpeg(path, array, orientation=None, dpi=None, **form):
    """array: (J, I), uint8. form: order and code of `exif`."""
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path), imageIO="JPEGImageIO")
    content = path.read_bytes()
    # ITK writes JFIF first: the unit of the density, and the density along x and y.
    at = content.index(b"JFIF\0") + 7
    density = (0, 1, 1) if dpi is None else (1, dpi, dpi)
    content = content[:at] + struct.pack(">BHH", *density) + content[at + 5 :]
    if orientation is not None:
        block = b"Exif\0\0" + exif(orientation, **form)
        content = (
            content[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + content[2:]
        )
    path.write_bytes(content)
    return path


def png(path, array, colour=0, orientation=None):
    """array: (J, I) or (J, I, 2); colour: of PNG, 0 grey, 4 grey and opacity."""
    height, width = array.shape[:2]
    bits, array = 8 * array.dtype.itemsize, array.astype(array.dtype.newbyteorder(">"))
    rows = b"".join(b"\0" + row.tobytes() for row in array)
    pieces = [(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))]
    if orientation is not None:
        pieces.append((b"eXIf", exif(orientation)))
    pieces += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c))
            for k, c in pieces
        )
    )
    return path


def tiff(path, pages, tags=()):
    """pages: arrays (J, I). tags: {tag: value} of each page, beside what has to be there."""
    content, links = b"II*\0" + bytes(4), [4]
    for array in pages:
        start = len(content)
        content += array.tobytes()
        kind = {"u": 1, "i": 2, "f": 3}[array.dtype.kind]
        fields = {
            254: 0, 256: array.shape[1], 257: array.shape[0], 258: 8 * array.dtype.itemsize, 259: 1,
            262: 1, 273: start, 277: 1, 278: array.shape[0], 279: array.nbytes, 339: kind,
            **dict(tags),
        }  # fmt: skip
        at = len(content)
        content = content[: links[-1]] + struct.pack("<I", at) + content[links[-1] + 4 :]
        content += struct.pack("<H", len(fields))
        for tag, value in sorted(fields.items()):
            content += struct.pack("<HHII", tag, 4, 1, value)
        links.append(len(content))
        content += bytes(4)
    path.write_bytes(content)
    return path


def nrrd(path, array, *lines):
    """array: (K, J, I). lines: of the header, beside what has to be there."""
    header = [
        "NRRD0004", "type: " + array.dtype.name, f"dimension: {array.ndim}",
        "sizes: " + " ".join(map(str, array.shape[::-1])), "encoding: raw", "endian: little", *lines,
    ]  # fmt: skip
    path.write_bytes("\n".join(header).encode() + b"\n\n" + array.tobytes())
    return path


def metaimage(path, array, *lines):
    kind = {"uint8": "MET_UCHAR", "int16": "MET_SHORT"}[array.dtype.name]
    sizes = " ".join(map(str, array.shape[::-1]))
    header = ["ObjectType = Image", f"NDims = {array.ndim}", f"DimSize = {sizes}", *lines]
    header += [f"ElementType = {kind}", "ElementDataFile = LOCAL"]
    path.write_bytes("\n".join(header).encode() + b"\n" + array.tobytes())
    return path


def nifti(path, array, spacing=(1, 1, 1), unit=2, sform=None, qform=None):
    """sform, qform: (code, 3 x 4 rows) and (code, offset)."""
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *array.shape[::-1], 1, 1, 1, 1)
    struct.pack_into("<hh", header, 70, 4, 16)
    struct.pack_into("<8f", header, 76, 1, *spacing, 0, 0, 0, 0)
    struct.pack_into("<ff", header, 108, 352, 1)
    header[123] = unit
    if qform:
        struct.pack_into("<h", header, 252, qform[0])
        struct.pack_into("<3f", header, 268, *qform[1])
    if sform:
        struct.pack_into("<h", header, 254, sform[0])
        struct.pack_into("<12f", header, 280, *np.ravel(sform[1]))
    header[344:348] = b"n+1\0"
    path.write_bytes(bytes(header) + array.astype("<i2").tobytes())
    return path


def dicom_slice(path, array, series="1.2.3.4", position=(0, 0, 0), number=1, **also):
    """array: (J, I). also: values by their tag written as 'gggg|eeee'."""
    image = sitk.GetImageFromArray(array[None])
    image.SetSpacing((3, 2, 1))
    tags = {
        "0008|0060": "CT",
        "0010|0010": "Doe^Jane",
        "0020|000e": series,
        "0020|0032": "\\".join(f"{x:g}" for x in position),
        "0020|0037": "1\\0\\0\\0\\1\\0",
        "0020|0013": str(number),
        **also,
    }
    for tag, value in tags.items():
        image.SetMetaData(tag, value)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    writer.SetImageIO("GDCMImageIO")
    writer.SetFileName(str(path))
    writer.Execute(image)
    return path
