"""The table of docs/networks.md: weights, degrees, rho at a start, and the bound of the output.

python benchmarks/networks.py
"""

import itertools
import math

import jax

from rhoflow import models

NETWORKS = {
    "mlp((64, 64, 64, 1))": models.mlp((64, 64, 64, 1)),
    "mlp(..., batch_norm=True)": models.mlp((64, 64, 64, 1), batch_norm=True),
    "deep_linear((64, 64, 1))": models.deep_linear((64, 64, 1)),
    "documented.dyn_six_layers()": models.documented.dyn_six_layers(),
    "documented.dyn_six_layers((16, 16, 3), divide=4)": models.documented.dyn_six_layers(
        (16, 16, 3), divide=4
    ),
    "documented.dyn_three_layers()": models.documented.dyn_three_layers(),
    "documented.m117_four_layers()": models.documented.m117_four_layers(),
    "documented.m112_four_layers()": models.documented.m112_four_layers(),
    "documented.ncwd_five_layers()": models.documented.ncwd_five_layers(),
    "tree(6, channels=4)": models.tree(6, channels=4),
    "tree(6, channels=4, shared=False)": models.tree(6, channels=4, shared=False),
    "diagonal(16, layers=3)": models.diagonal(16, layers=3),
    "tied((64, 64, 1), times=3)": models.tied((64, 64, 1), times=3),
    "resnet20((32, 32, 3), (64, 10))": models.resnet20((32, 32, 3), (64, 10)),
    "resnet20(..., batch_norm=False)": models.resnet20((32, 32, 3), (64, 10), batch_norm=False),
    "wide_mlp(196, 256, 10)": models.wide_mlp(196, 256, 10),
}


def main():
    """Prints it."""
    print("| network | weights | degrees | rho at a start | bound of abs(f_V)/abs(x) |")
    print("|---|---|---|---|---|")
    for name, network in NETWORKS.items():
        weights = network.init(jax.random.key(0))
        degrees, rho = f"none: {network.inhomogeneity}", "-"
        if not network.inhomogeneity:
            degrees, rho = runs(network.degrees), f"{float(models.radius(network, weights)):.3g}"
        bound = "-" if math.isinf(network.output_bound) else f"{network.output_bound:g}"
        count = sum(layer.size for layer in weights)
        print(f"| `{name}` | {count:,} | {degrees} | {rho} | {bound} |")


def runs(degrees):
    """Degrees with repeats counted: 0 (19 times), 1 (2 times)."""
    lengths = [(degree, len(list(same))) for degree, same in itertools.groupby(degrees)]
    return ", ".join(f"{d} ({n} times)" if n > 1 else str(d) for d, n in lengths)


if __name__ == "__main__":
    main()
