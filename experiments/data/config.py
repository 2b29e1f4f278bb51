"""Which images an experiment wants: the part of its configuration that is called `data`.

The fields are options of the command line (`--data.name mnist --data.classes 3 8`), and the strings
under them are its help (tyro keeps their line breaks: a line ends where a sentence does). What can
be judged without opening a file is checked when the object is made; the rest (is the class there,
are there enough images) when `load` opens the source.

>>> DataConfig(name="mnist5k", classes=(3, 8), train=200, test=100).side is None
True
"""

from dataclasses import dataclass

from .errors import refusal
from .sources import find_source


@dataclass(frozen=True)
class DataConfig:
    """Which images, how many, and what is done to them; see `load`.

    Raises:
      DataError: at construction, where a field cannot be right whatever the source holds.
    """

    name: str = "digits"
    """Source: digits (8 x 8) or mnist5k (28 x 28), in the box; mnist or cifar10, from a folder."""

    classes: tuple[int, ...] = ()
    """Classes to use, by the source's numbers: label i stands for the i-th. Empty: all it holds."""

    train: int = 1000
    """Number of training images in total, spread over the classes as evenly as they allow."""

    test: int = 500
    """Number of test images in total, spread in the same way; 0 for none."""

    side: int | None = None
    """Shrink the images to side x side by averaging areas; any size up to the image's own will do.
    (28 to 16, say: a pixel across the border of two areas counts in both, by its overlap.)"""

    seed: int = 0
    """Seed of the choice of images and of the label noise."""

    label_noise: float = 0.0
    """Fraction of the training labels, in [0, 1], replaced by random ones; test labels stay true.
    (Uniform over all classes in use, the true one included: 1/C of those replaced stay true.)"""

    centre: bool = False
    """Subtract the mean training image from all images, before they are scaled."""

    folder: str | None = None
    """Folder with the files of mnist or cifar10. None: the environment variable RHOFLOW_DATA.
    (They may also lie in mnist/ or cifar-10-batches-bin/ below it.)"""

    def __post_init__(self) -> None:
        """Refuses what no source could satisfy."""
        find_source(self.name)
        self._check_classes()
        self._check_at_least("train", self.train, 1)
        self._check_at_least("test", self.test, 0)
        self._check_at_least("seed", self.seed, 0)
        if self.side is not None:
            self._check_at_least("side", self.side, 1)
        if not 0 <= self.label_noise <= 1:
            raise refusal(
                expected="label_noise between 0 and 1",
                got=f"label_noise = {self.label_noise}",
                remedy="give it as a fraction, 0.2 for 20 %, with --data.label-noise",
            )

    def _check_classes(self) -> None:
        twice = sorted({label for label in self.classes if self.classes.count(label) > 1})
        if twice:
            raise refusal(
                expected="every class once in classes",
                got=f"{self.classes}, with {', '.join(map(str, twice))} more than once",
                remedy="name each class once with --data.classes",
            )

    @staticmethod
    def _check_at_least(field: str, value: int, least: int) -> None:
        if value < least:
            raise refusal(
                expected=f"{field} >= {least}",
                got=f"{field} = {value}",
                remedy=f"change it with --data.{field}",
            )
