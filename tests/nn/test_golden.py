"""Against PyTorch in float64, in our conventions: golden/make_golden.py says how the values were made."""


def test_fifty_steps_and_test_mode_agree(golden_case, oracles):
    oracles["golden"](golden_case)
