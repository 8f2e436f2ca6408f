"""Left and right told from names, and what a file says of them."""

import pytest

from landmark_heatmap.annotation.mirror_pairs import infer_mirror_pairs, one_sided, read_pairs
from landmark_heatmap.errors import AnnotationError


@pytest.mark.parametrize(
    "pair",
    [
        ("GoL", "GoR"), ("LOr", "ROr"), ("LGo", "RGo"), ("UL6O", "UR6O"), ("UL1", "UR1"),
        ("LL6", "LR6"), ("lEye", "rEye"), ("Lhand", "Rhand"), ("lhand", "rhand"), ("Go_L", "Go_R"),
        ("Eye (L)", "Eye (R)"), ("eye-l", "eye-r"), ("Eye.L", "Eye.R"), ("L_Go", "R_Go"),
        ("LEFT eye", "right EYE"), ("LeftEye", "RightEye"), ("EyeLeft", "EyeRight"),
        ("eye_left_inner", "eye_right_inner"), ("OrL1", "OrR1"), ("EyeL_inner", "EyeR_inner"),
        ("lt orbitale", "rt orbitale"), ("Auge links", "Auge rechts"), ("sx_eye", "dx_eye"),
        ("Left eye, left corner", "Right eye, right corner"), ("L eye L", "R eye R"),
        ("L eye, left corner", "R eye, right corner"), ("P3L", "P3R"), ("1L", "1R"), ("1l", "1r"),
        ("linkes Auge", "rechtes Auge"), ("Gonion sinistrum", "Gonion dextrum"), ("左眼", "右眼"),
        ("occhio sinistro", "occhio destro"), ("olho esquerdo", "olho direito"), ("Or li", "Or re"),
        ("Or sin.", "Or dext."), ("левый глаз", "правый глаз"), ("lh_pole", "rh_pole"),
        ("UL3CT", "UR3CT"), ("U6_L", "U6_R"), ("UL6mb", "UR6mb"), ("mandL6", "mandR6"),
        ("LM1_left", "LM1_right"),
        ("wing_L_1", "wing_R_1"), ("forewingL1", "forewingR1"), ("LeftAntenna", "RightAntenna"),
        ("AntL", "AntR"),
        ("FEM-L-1", "FEM-R-1"), ("femL_head", "femR_head"), ("FHC_l", "FHC_r"), ("tibia_lt", "tibia_rt"),
        ("L.Humerus", "R.Humerus"), ("lewe oko", "prawe oko"), ("levé oko", "pravé oko"),
        ("sol göz", "sağ göz"),
        ("venstre øje", "højre øje"), ("vänster öga", "höger öga"), ("mata kiri", "mata kanan"),
        ("왼쪽눈", "오른쪽눈"),
    ],
)  # fmt: skip
def test_the_usual_forms_of_left_and_right_are_twins(pair):
    assert infer_mirror_pairs(pair) == (pair,)
    assert infer_mirror_pairs(("Nasion", *reversed(pair))) == (pair,)


@pytest.mark.parametrize(
    "names",
    [
        ("Orbitale L1", "Clavicle"), ("LEC", "REC"), ("L5", "R5"), ("Ar", "Al"), ("Li", "Ri"),
        ("Ls", "Rs"), ("AL", "AR"), ("Cleft", "Cright?"), ("Lingula", "Ramus"), ("GoL",),
        ("Lateral", "Rateral"), ("lower lip", "rower lip"), ("Li", "Sn"),
        ("UL", "UR", "LL", "LR"), ("L1", "L2", "R1", "R2"), ("LASI", "RASI"),
    ],
)  # fmt: skip
def test_an_l_or_r_that_is_no_side_makes_no_twins(names):
    assert infer_mirror_pairs(names) == ()


@pytest.mark.parametrize(
    "pairs",
    [
        (("LASI", "RASI"), ("LKNE", "RKNE")), (("GOL", "GOR"), ("ZYL", "ZYR")),
        (("LFW1", "RFW1"), ("LHW1", "RHW1")), (("LFHC", "RFHC"), ("LASIS", "RASIS")),
        (("H_FL", "H_FR"), ("H_BL", "H_BR")),
    ],
)  # fmt: skip
def test_among_names_of_capitals_an_l_is_a_side_where_several_say_so(pairs):
    names = [name for pair in pairs for name in pair]
    assert infer_mirror_pairs(names) == pairs
    assert infer_mirror_pairs(("SACR", *reversed(names))) == tuple(reversed(pairs))


def test_a_short_word_that_is_a_point_of_the_face_by_itself_is_not_one_sided():
    assert one_sided(("Li", "Sn", "Lateral", "Lower"), ()) == ()


def test_a_name_with_a_side_and_no_partner_is_one_sided():
    names = ("Eye_L", "Eye_R", "GoL", "left ear", "Orbitale L1", "Clavicle", "Lingula", "Nasion")
    assert one_sided(names, infer_mirror_pairs(names)) == ("GoL", "left ear")


def test_a_file_states_pairs_and_the_midline():
    text = "# ours\nGonion A, Gonion B\n\nMe\nx;y\na\tb\n"
    assert read_pairs(text, "it") == ((("Gonion A", "Gonion B"), ("x", "y"), ("a", "b")), ("Me",))


@pytest.mark.parametrize(
    ("text", "told"),
    [("a,b\nc,d,e\n", "line 2: 3 names"), ("a,b\n\nb\n", "line 3: 'b' stands in line 1")],
)
def test_a_file_of_pairs_that_leaves_a_doubt_is_refused_with_its_line(text, told):
    with pytest.raises(AnnotationError, match=told):
        read_pairs(text, "it")
