"""Downloads of a page; several files are one zip."""

import io
import zipfile
from collections.abc import Mapping


EPOCH = (1980, 1, 1, 0, 0, 0)
"""The date of every member, so that the same files give the same zip."""


def zip_bytes(files: Mapping[str, bytes]) -> bytes:
    """A zip of files by name.

    >>> archive = zipfile.ZipFile(io.BytesIO(zip_bytes({"curve.csv": b"angle_deg"})))
    >>> archive.namelist(), archive.read("curve.csv")
    (['curve.csv'], b'angle_deg')
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            member = zipfile.ZipInfo(name, EPOCH)
            archive.writestr(member, data, zipfile.ZIP_DEFLATED)
    return stream.getvalue()
