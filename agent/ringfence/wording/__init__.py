"""What people read, in their language: tables of words, and `explain` in sentences.

Knows no more than what has been decided. `en` and `ja` hold the words, key by key;
`explanation` puts them together.
"""

from collections.abc import Mapping
from typing import Final

LANGUAGES: Final = ("en", "ja")


def language(environment: Mapping[str, str]) -> str:
    """Choose a language as the locale says; English for those that we lack.

    The first of LC_ALL, LC_MESSAGES and LANG that is not empty counts (POSIX, section
    8.2).
    """
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = environment.get(name)
        if value:
            word = value.replace(".", "_").partition("_")[0].lower()
            return word if word in LANGUAGES else "en"
    return "en"
