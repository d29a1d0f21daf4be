"""Lists of Chinese words, written as people read them."""


def words(text: str) -> tuple[str, ...]:
    """The words of a text, by its blanks."""
    return tuple(text.split())
