"""Each CPU core a device: how members of an ensemble come to run on all of them.

JAX makes one device of a CPU unless told otherwise before it computes anything. BLAS, which
decomposes JAX's matrices there, has as many threads as cores for each device, and they wait for
each other: on a busy machine looking at singular values took ten times as long. So it gets one.
"""

import os


def use_every_core(count: int | None = None) -> None:
    """Makes a device of each CPU core, with one thread of BLAS; before JAX computes anything.

    The command line does so by itself; in a notebook it is the first line.

    Args:
        count: How many devices; one for each core unless given.

    Raises:
        ValueError: If the count is no positive whole number.
        RuntimeError: If JAX has computed something already.
    """
    import jax
    import scipy.linalg  # noqa: F401 - whose BLAS it is; it must be there to be limited
    import threadpoolctl

    from ..models.checks import counts

    devices = counts((count,), "count")[0] if count is not None else os.cpu_count() or 1
    jax.config.update("jax_num_cpu_devices", devices)
    threadpoolctl.threadpool_limits(1, user_api="blas")
