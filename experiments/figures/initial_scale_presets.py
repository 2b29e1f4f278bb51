"""The runs that figures of the initial scale share: one configuration for each of three models.

Laptop: digits 3 and 8 of `mnist5k` at 14 x 14 and fully connected networks in place of CIFAR10 and
convolutional ones. Lambda and rates are such that a run comes to rest in some thousand steps.
"""

from dataclasses import replace

from ..studies.initial_scale import LAPTOP, PAPER, TINY

SCALES = (0.01, 0.1, 0.5, 1.0, 3.0, 5.0, 10.0)
"""Of every matrix below batch norm, [M117]."""

OURS = (
    "Here: digits 3 and 8 at 14 x 14, {}; lambda and the rate are ours, in the mean normalisation."
)
OUR_SPHERE = OURS.format(
    "100 for training, three fully connected layers, and rho at the start as the initial scale"
)
OUR_BATCH_NORM = OURS.format("200 for training, three fully connected layers with batch norm")
OUR_PLAIN = OURS.format("100 for training, four fully connected layers of norm 1, 3 or 6")

_sphere = replace(
    LAPTOP,
    data=replace(LAPTOP.data, train=100),
    initial=(3.0, 6.0, 12.0, 20.0, 40.0),
    decay=(2e-4, 0.0),
    epochs=2000,
    learning_rate=0.03,
)
SPHERE = {
    "tiny": replace(TINY, initial=_sphere.initial, decay=_sphere.decay, learning_rate=0.05),
    "laptop": _sphere,
    # Six layers of norm .8, .9, 1, 1.2, 1.3 or 1.5; lambda as of the sum over 10,000 images.
    "paper": replace(PAPER, initial=(0.26, 0.53, 1.0, 2.99, 4.83, 11.39), decay=(1e-7, 0.0)),
}
"""[Dyn] Figs. 3, 5, 8 and 10."""

_batch_norm = replace(
    LAPTOP,
    model="batch_norm",
    initial=SCALES,
    decay=(5e-3, 0.0),  # weight decay .01 is lambda = .005
    epochs=2000,
    learning_rate=0.01,
    batch_size=40,
)
BATCH_NORM = {
    "tiny": replace(TINY, model="batch_norm", initial=SCALES, decay=_batch_norm.decay),
    "laptop": _batch_norm,
    "paper": replace(
        PAPER, model="batch_norm", initial=SCALES, decay=_batch_norm.decay, learning_rate=0.01
    ),
}
"""[M117]; [M112] Figs. 1-9 look at the same runs on a laptop."""

FAST_BATCH_NORM = BATCH_NORM | {
    "paper": replace(BATCH_NORM["paper"], initial=(0.1, 1.0, 5.0), decay=(5e-3,), learning_rate=0.1)
}
"""[M112] Figs. 1-5, whose rate is .1."""

_plain = replace(
    LAPTOP,
    data=replace(LAPTOP.data, train=100),
    model="plain",
    hidden=(64, 64, 64),
    initial=(1.0, 3.0, 6.0),
    decay=(0.0,),
    learning_rate=0.01,
)
PLAIN = {
    "tiny": replace(TINY, model="plain", initial=_plain.initial, decay=(0.0,), learning_rate=0.01),
    "laptop": _plain,
    "paper": replace(
        PAPER, model="plain", initial=(5.0, 15.0, 30.0), decay=(0.0,), learning_rate=0.1
    ),
}
"""[M112] Figs. 10-12."""
