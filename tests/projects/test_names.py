"""Names are read stretch by stretch and word by word, each kept in mind; the outcome is pypinyin's for the whole text."""

from __future__ import annotations

import random

import pytest

from app.heart.standing import normalised
from app.projects.search import _pinyin, keys_of, sort_key

SEEDS = range(4)
_OTHERS = "ABcz0159.·-（）㎡½① ü~＋"


def _texts(seed: int) -> list[str]:
    """Names of words, of single characters, rare ones among them, and of whatever else stands in cells."""
    from pypinyin.phrases_dict import phrases_dict
    from pypinyin.pinyin_dict import pinyin_dict

    chance, words, rare = random.Random(seed), list(phrases_dict), [chr(code) for code in pinyin_dict]
    kinds = (lambda: chance.choice(words), lambda: chr(chance.randrange(0x4E00, 0x9FA5)), lambda: chance.choice(rare),
             lambda: chance.choice(_OTHERS))  # fmt: skip
    return ["".join(chance.choice(kinds)() for _ in range(chance.randrange(1, 12))) for _ in range(500)]


@pytest.mark.parametrize("seed", SEEDS)
def test_word_by_word_is_as_the_whole(seed: int) -> None:
    from pypinyin import Style, pinyin

    for text in _texts(seed):
        whole = pinyin(text, style=Style.TONE3, heteronym=True, errors=list, neutral_tone_with_five=True, v_to_u=False)  # type: ignore[arg-type]
        if len(whole) != len(text):
            continue
        expected = [read[0] if len(read[0]) > 1 and read[0][0] != mark else mark for mark, read in zip(text, whole, strict=True)]
        assert [said.usual for said in _pinyin()(text)] == expected, (seed, text)


def test_a_word_decides_how_its_characters_are_read() -> None:
    """长 is chang in 长江 and zhang in 成长, and either where no word tells."""
    assert "~chang2长" in sort_key("长江") and "~zhang3长" in sort_key("成长")
    assert keys_of("P-1", "成长", None)["search_key"].split("\n") == ["成长", "p-1", "cz", "chengzhang"]
    assert {"zhang", "chang"} <= set(keys_of("P-1", "长", None)["search_key"].split("\n"))


@pytest.mark.parametrize(
    ("text", "said"), [("1.2亿元", "1点2亿元"), ("Ａ－b c", "abc"), ("½、①", "121"), ("进展：良好。", "进展良好"), ("。，", "")]
)
def test_a_text_without_what_copiers_change(text: str, said: str) -> None:
    assert normalised(text) == said
