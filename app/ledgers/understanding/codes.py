"""Shapes of identifiers (2.7): 统一社会信用代码 with its check character (GB 32100), 项目代码 as 4-6-2-2-6. Kept as text, never mended."""

from __future__ import annotations

import re
from operator import mul

_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_VALUE = {letter: value for value, letter in enumerate(_ALPHABET)}
_WEIGHTS = (*(pow(3, place, 31) for place in range(17)), 1)
_PROJECT = re.compile(r"\d{4}-\d{6}-\d{2}-\d{2}-\d{6}|\d{20}", re.ASCII)


def credit_code_fits(code: str) -> bool:
    """18 characters whose last one checks the others."""
    if len(code) != 18:
        return False
    try:
        # Weighted, a code adds up to a multiple of 31: the last character has weight 1, as 3 ** 30 has.
        return int(sum(map(mul, map(_VALUE.__getitem__, code.upper()), _WEIGHTS))) % 31 == 0
    except KeyError:
        return False


def project_code_fits(code: str) -> bool:
    """20 digits, with or without hyphens."""
    return _PROJECT.fullmatch(code) is not None


CHECKS = {"credit_code": (credit_code_fits, "credit_code_invalid"), "project_code": (project_code_fits, "project_code_shape")}
"""field → what it has to be like, and the mark when it is not."""
