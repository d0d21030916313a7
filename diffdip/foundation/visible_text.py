"""Text from files and of file names, so that it can be shown anywhere."""

import unicodedata


_HIDDEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
"""Categories of characters that a terminal obeys, or that have no encoding."""


def visible(text: str) -> str:
    r"""The text with escapes for control characters, line breaks, and bytes that are not UTF-8.

    Such characters could move the cursor, recolor a terminal or turn the direction of writing.

    >>> print(visible("a\x1b[31m\nb"), visible("30° \udcff"), visible("\u202eabc"))
    a\x1b[31m\nb 30° \xff \u202eabc
    """
    if text.isprintable():
        return text
    return "".join(_escaped(c) if unicodedata.category(c) in _HIDDEN else c for c in text)


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # Python's stand-in for a byte of a file name
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
