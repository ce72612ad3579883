"""What the arithmetic ran on: bits may differ between BLAS kernels, thread counts and SIMD levels."""

import platform
from functools import cache
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def pin_blas() -> None:
    """One BLAS thread from here on: with two, a busy neighbour slows training and the bits may differ."""
    _controller().limit(limits=1, user_api="blas")


def describe() -> dict[str, Any]:
    """Versions, BLAS kernel, threads, SIMD level, kind of machine; nothing that names a person or a host."""
    blas: dict[str, Any] = next((lib for lib in _controller().info() if lib["user_api"] == "blas"), {})
    config = np.show_config(mode="dicts")
    simd = config.get("SIMD Extensions", {}).get("found", []) if isinstance(config, dict) else []
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{blas.get('internal_api', 'unknown')} {blas.get('version') or ''}".strip(),
        "kernel": blas.get("architecture") or "unknown",
        "threads": blas.get("num_threads") or 1,
        "simd": simd[-1] if simd else "baseline",
        "machine": platform.machine(),
        "system": platform.system(),
    }


# Kernels of OpenBLAS for x86-64 and what a processor must have for them, the widest first.
_KERNELS = (("SkylakeX", "AVX512_SKX"), ("Haswell", "AVX2"), ("Sandybridge", "AVX"), ("Nehalem", "SSE42"))


def other_kernels() -> tuple[str, ...]:
    """The kernels of OpenBLAS that this processor could use besides the one in use; none where unknown."""
    here = describe()
    if not str(here["blas"]).startswith("openblas") or here["machine"] not in ("x86_64", "AMD64"):
        return ()
    config = np.show_config(mode="dicts")
    found = config.get("SIMD Extensions", {}) if isinstance(config, dict) else {}
    has = {str(each).upper() for each in (*found.get("baseline", ()), *found.get("found", ()))}
    has |= {"SSE42", "AVX", "AVX2"} if has & {"X86_V3", "X86_V4"} else set()
    has |= {"AVX512_SKX"} if "X86_V4" in has else set()
    return tuple(kernel for kernel, needs in _KERNELS if needs in has and kernel != here["kernel"])
