"""How long XLA may take over a program.

Most of the audit's many programs run once, for milliseconds, and compiling them is what takes time:
unoptimised an eighth of what it takes optimised (jaxlib 0.10; two thirds with 0.12, which has lost
the older emitter). Long runs want their programs optimised.
"""

import importlib.metadata
import os

UNOPTIMISED = {"xla_backend_optimization_level": 0, "xla_cpu_parallel_codegen_split_count": 1}
OLDER_EMITTER = {"xla_cpu_use_fusion_emitters": False}


def quick_options() -> dict[str, int | bool]:
    """XLA's options for one program that runs once, ``jax.jit(..., compiler_options=...)``."""
    # XLA refuses an option, and ends the process over a flag, that it does not know.
    older = OLDER_EMITTER if importlib.metadata.version("jaxlib").startswith("0.10.") else {}
    return {**UNOPTIMISED, **older}


def compile_quickly() -> None:
    """Has XLA compile quickly rather than well, for programs that run once.

    To be called before JAX computes anything, which is when ``XLA_FLAGS`` is read; it holds for the
    whole process. Flags that are set there already come last, so that they win.
    """
    flags = (f"--{name}={str(value).lower()}" for name, value in quick_options().items())
    mine = os.environ.get("XLA_FLAGS", "")
    os.environ["XLA_FLAGS"] = " ".join((*flags, mine)).strip()
