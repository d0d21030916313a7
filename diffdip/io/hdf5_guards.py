"""Guards for reading damaged HDF5 files with pyfive, which trusts what a file declares."""

import io
from collections import Counter
from functools import cache
from typing import Any

from .sweep import SpectrumError


MOST_READ = 200
"""A place in a file is read this many times at most: in sound files it is below 20 whatever their
size. Structures that refer to each other in a circle would be read for ever."""

DAMAGED = "The file is damaged: copy it again"


class LimitedBytes(io.BytesIO):
    """The bytes of a file; no place is read more than `MOST_READ` times. Raises `SpectrumError`."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._times: Counter[int] = Counter()

    def read(self, size: int | None = -1, /) -> bytes:
        place = self.tell()
        self._times[place] += 1
        if self._times[place] > MOST_READ:
            raise SpectrumError(
                f"a part of the file, at byte {place}, refers to itself", hint=DAMAGED
            )
        return super().read(size)


@cache
def guard_attributes() -> None:
    """Make pyfive refuse an attribute that declares more values than its bytes can hold.

    It makes room for all of them before it reads the first one, and four damaged bytes declare up
    to four billion. Other users of pyfive in this process get the same error for such a file.

    Raises:
        SpectrumError: If this version of pyfive reads attributes in another way.
    """
    from pyfive.dataobjects import DataObjects

    read = getattr(DataObjects, "_attr_value", None)
    if read is None:
        raise SpectrumError(
            "this version of pyfive is not known, and damaged files could end the process",
            hint="Install pyfive 1.3, or convert the file to text",
        )

    def checked(self: Any, ptype: Any, buf: bytes | None, count: int, offset: int) -> Any:
        held = max(len(buf or b"") - offset, 0)
        if count > held:
            raise SpectrumError(
                f"an attribute of {count} values in {held} bytes",
                expected="values that the file has",
                hint=DAMAGED,
            )
        return read(self, ptype, buf, count, offset)

    DataObjects._attr_value = checked
