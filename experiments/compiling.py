"""How long XLA may take over a program, and how many programs a process may hold.

Most of the audit's many programs run once, for milliseconds, and compiling them is what takes time:
unoptimised an eighth of what it takes optimised (jaxlib 0.10; two thirds with 0.12, which has lost
the older emitter). Long runs want their programs optimised.
"""

import importlib.metadata
import os
import platform
from pathlib import Path

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


def make_room(share: float = 0.5) -> None:
    """Forgets compiled programs before a process has more memory maps than Linux allows.

    Programs are such maps, some for each; a process that reaches the limit, 65,530 unless it was
    raised, crashes. What is run again is compiled again. On other systems nothing is done.

    Args:
        share: Of the limit, from which on programs are forgotten.
    """
    maps, limit = Path("/proc/self/maps"), Path("/proc/sys/vm/max_map_count")
    if not (maps.is_file() and limit.is_file()):
        return
    if maps.read_bytes().count(b"\n") > share * int(limit.read_text()):
        import jax

        jax.clear_caches()


def keep_programs() -> None:
    """Keeps compiled programs on the disk, so that the same run starts in seconds the next time.

    In ``$XDG_CACHE_HOME/rhoflow`` (``~/.cache/rhoflow``), apart for each machine, since programs
    are made for its processor; where ``JAX_COMPILATION_CACHE_DIR`` names a folder, there. To be
    called before JAX compiles anything.
    """
    import jax

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = str(cache / "rhoflow" / platform.node())
        jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
