"""What is said about the precision of a training, by what Linux says about the CPU."""

from pathlib import Path

import pytest

from crmnet.training import machine

FASTER, SLOWER = "mixed_bfloat16` would train", "many times more slowly"


@pytest.mark.parametrize(
    ("flags", "precision", "large", "said"),
    [
        ("fpu avx512f amx_bf16", "float32", True, FASTER),
        ("fpu avx512_bf16", "float32", True, FASTER),
        ("fpu avx512_bf16", "float32", False, None),
        ("fpu avx512f", "float32", True, None),
        ("fpu avx512_bf16", "mixed_bfloat16", True, None),
        ("fpu avx512f", "mixed_bfloat16", False, SLOWER),
        ("fpu avx512_bf16", "mixed_float16", False, SLOWER),
    ],
)
def test_advice_depends_on_what_the_cpu_can_do(monkeypatch, flags, precision, large, said):
    text = f"processor\t: 0\nmodel name\t: A CPU\nflags\t\t: {flags}\nvmx flags\t: amx_bf16\n"
    monkeypatch.setattr(Path, "read_text", lambda path: text)
    found = machine.advice(precision, large)
    assert (said in found) if said else found is None
    assert machine.processor() == "A CPU"


def test_linux_lists_the_features_of_an_arm_cpu_by_another_name(monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda path: "Features\t: fp asimd bf16\n")
    assert machine.multiplies_in_bfloat16()


def test_elsewhere_nothing_is_known_about_the_cpu(monkeypatch):
    def missing(path):
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_text", missing)
    assert machine.advice("float32", True) is None
    assert machine.processor()
