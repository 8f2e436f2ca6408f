"""Left and right told from the names of landmarks."""

from __future__ import annotations

import re

from ..errors import AnnotationError

# Words for left and for right, whatever their capitals, anywhere in a name.
_WORDS = (
    ("left", "right"),
    ("sinister", "dexter"),
    ("sinistrum", "dextrum"),
    ("sinistra", "dextra"),
    ("sinistra", "destra"),
    ("sinistro", "destro"),
    ("links", "rechts"),
    ("linker", "rechter"),
    ("linkes", "rechtes"),
    ("linke", "rechte"),
    ("gauche", "droite"),
    ("gauche", "droit"),
    ("izquierda", "derecha"),
    ("izquierdo", "derecho"),
    ("esquerda", "direita"),
    ("esquerdo", "direito"),
    ("левый", "правый"),
    ("левая", "правая"),
    ("левое", "правое"),
    ("lewy", "prawy"),
    ("lewa", "prawa"),
    ("lewe", "prawe"),
    ("levý", "pravý"),
    ("levá", "pravá"),
    ("levé", "pravé"),
    ("lijevo", "desno"),
    ("lijeva", "desna"),
    ("lijevi", "desni"),
    ("venstre", "højre"),
    ("venstre", "høyre"),
    ("vänster", "höger"),
    ("kiri", "kanan"),
    ("왼쪽", "오른쪽"),
    ("左", "右"),
)
# Short ones, set off as words of their own.
_SHORT_WORDS = (
    ("lt", "rt"), ("sin", "dex"), ("sin", "dext"), ("sin", "dx"), ("sx", "dx"), ("izq", "der"),
    ("sol", "sağ"),
)  # fmt: skip
# Sides only where the partner is there, too: 'Li' and 'Sn' are points of the face by themselves.
_SHORT_WORDS_OF_TWO = (("lh", "rh"), ("li", "re"), ("sn", "dx"))
# Words whose first letter is no side: 'Lateral' has no partner 'Rateral'.
_NO_SIDES = (
    "labi|labr|lacrim|lambda|lamina|large|lateral|left|lens|ligament|light|limb|lingu|lobe|long|lower|"
    "lumb|luna|radi|ramus|rect|renal|retro|rhinion|ridge|right|root|rostral|rotat|round"
)
# Single letters: where a person reads an L or an R as a side. Set off as words of their own; glued to
# the end after a small letter (GoR); glued to the front before a name of its own (ROr, lEye, Lhand),
# but not before capitals alone (LEC) or one small letter (Li, Ls); and in the numbers of teeth (UR6O).
_LETTERS = (
    r"(?<![A-Za-z0-9])[LRlr](?![A-Za-z0-9])",
    r"(?<=[a-z])[LR](?=$|[0-9_ .-]|[A-Z][a-z])",
    r"(?<=[a-z][0-9])[LRlr]$|(?<=[0-9])[LR]$|(?<=^[0-9])[lr]$",
    r"(?<![A-Za-z0-9])[LR](?=[A-Z][a-z])",
    rf"(?<![A-Za-z0-9])(?!(?i:{_NO_SIDES}))[LRlr](?=[a-z]{{3}})",
    r"(?<![A-Za-z0-9])[lr](?=[A-Z])",
    r"(?<=^[UuLl])[LRlr](?=[0-9])",
)
# In names of capitals alone (LASI, LKNE; GOL, ZYL) an L may be anything: a side where several say so.
_CAPITALS = (r"(?<![A-Z0-9])[LR](?=[A-Z]{2})", r"(?<=[A-Z])[LR](?![A-Z0-9])")
_SEVERAL = 2
# Of these a name is one-sided although it has no partner: 'Lhand' may be, but 'Lingula' is not.
_SURE_LETTERS = (_LETTERS[0], _LETTERS[1], _LETTERS[3], _LETTERS[5], _LETTERS[6])
_OTHER = {"L": "R", "R": "L", "l": "r", "r": "l"}


def infer_mirror_pairs(names) -> tuple:
    """Left/right twins told from their names, as (left, right); only names that both occur are paired.

    'Femur_L_Head' pairs with 'Femur_R_Head', 'ASIS left' with 'ASIS right', 'GoL' with 'GoR', 'LOr'
    with 'ROr', 'UL6O' with 'UR6O', 'lEye' with 'rEye'; where there is more than one of the kind, 'LASI'
    with 'RASI'.
    """
    by_letters = {}
    for name in names:
        by_letters.setdefault(name.lower(), name)
    pairs, taken = [], set()
    for name in names:
        for twin in _right_twins(name):
            # Words may differ in capitals, 'left eye' and 'Right eye'; a single letter tells apart.
            twin = (
                twin if twin in names else by_letters.get(twin.lower()) if len(twin) > 3 else None
            )
            if twin is not None and twin != name and not {name, twin} & taken:
                pairs.append((name, twin))
                taken |= {name, twin}
                break
    for pattern in _CAPITALS:
        found = _pairs_of_capitals([name for name in names if name not in taken], pattern)
        pairs += found
        taken |= {name for pair in found for name in pair}
    return tuple(pairs)


def one_sided(names, pairs) -> tuple:
    """The names that speak of a side and are in no pair."""
    paired = {name for pair in pairs for name in pair}
    return tuple(name for name in names if name not in paired and _speaks_of_a_side(name))


def read_pairs(text: str, where: str) -> tuple:
    """(pairs, midline) from a text: two names a line with a comma, semicolon or tab between; a name
    alone on a line lies on the midline. Lines that begin with # are left out.

    Raises AnnotationError, naming the line, for more than two names in one, or one that comes twice.
    """
    pairs, midline, seen = [], [], {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        names = [name.strip() for name in re.split(r"[,;\t]", line) if name.strip()]
        if len(names) not in (1, 2):
            raise AnnotationError(
                f"{where}, line {number}: {len(names)} names; two are a pair, left and right, and one"
                " alone lies on the midline."
            )
        for name in names:
            if name in seen:
                raise AnnotationError(
                    f"{where}, line {number}: '{name}' stands in line {seen[name]} already."
                )
            seen[name] = number
        if len(names) == 2:
            pairs.append(tuple(names))
        else:
            midline.append(names[0])
    return tuple(pairs), tuple(midline)


def _right_twins(name: str):
    """What the right twin of a name on the left may be called, the most likely first."""
    words = list(_with_words_on_the_right(name))
    yield from words
    for pattern in _LETTERS:
        for found in re.finditer(pattern, name):
            if found[0] in "Ll":
                yield name[: found.start()] + _OTHER[found[0]] + name[found.end() :]
    # All at once: 'L eye L', 'L eye, left corner'.
    for each in (name, *words):
        yield re.sub(_LETTERS[0], lambda found: {"L": "R", "l": "r"}.get(found[0], found[0]), each)


def _with_words_on_the_right(name: str):
    for left, right in _WORDS:
        # All at once: 'Left eye, left corner'.
        twin = re.sub(left, lambda found, right=right: _as(found[0], right), name, flags=re.I)
        if twin != name:
            yield twin
    for left, right in (*_SHORT_WORDS, *_SHORT_WORDS_OF_TWO):
        pattern = rf"(?<![A-Za-z0-9]){left}(?![A-Za-z0-9])"
        twin = re.sub(pattern, lambda found, right=right: _as(found[0], right), name, flags=re.I)
        if twin != name:
            yield twin


def _pairs_of_capitals(names, pattern: str) -> list:
    """The twins of _CAPITALS, if they are several."""
    pairs = []
    for name in names:
        # 'UL' and 'UR' say upper and lower, or nothing.
        if name != name.upper() or sum(map(str.isalpha, name)) <= _SEVERAL:
            continue
        for found in re.finditer(pattern, name):
            twin = name[: found.start()] + "R" + name[found.end() :]
            if found[0] == "L" and twin in names:
                pairs.append((name, twin))
                break
    return pairs if len(pairs) >= _SEVERAL else []


def _as(word: str, other: str) -> str:
    """`other` with the capitals of `word`."""
    if word.isupper():
        return other.upper()
    return other.capitalize() if word[0].isupper() else other


def _speaks_of_a_side(name: str) -> bool:
    words = "|".join(
        [rf"\b{side}" for pair in _WORDS for side in pair]
        + [rf"(?<![A-Za-z0-9]){side}(?![A-Za-z0-9])" for pair in _SHORT_WORDS for side in pair]
    )
    words += "|(?<=[^a-z])(?:left|right)|(?:left|right)$"
    return bool(re.search(words, name, re.I)) or any(re.search(p, name) for p in _SURE_LETTERS)
