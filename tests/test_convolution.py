"""Both ways to convolve give the same numbers: alone, in loops, under vmap, in PyTorch's layout."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rhoflow import models
from rhoflow.models import convolution

ROUND_OFF = 1e-12
CASES = list(itertools.product((1, 2, 3), (1, 2, 3), ("valid", "same")))


def drawn(seed=0, side=7):
    rng = np.random.default_rng(seed)
    return jnp.asarray(rng.standard_normal((4, side, side - 1, 2)))


def made(kernel, stride, padding, method="auto"):
    return convolution.window(convolution.Shape(7, 6, 2), kernel, stride, padding, method)


def by_hand(images, kernel, stride, padding):
    """Loops over patches, from the formula."""
    side = kernel.shape[0]
    if padding == "same":
        missing = [max((-(-n // stride) - 1) * stride + side - n, 0) for n in images.shape[1:3]]
        halves = [(count // 2, count - count // 2) for count in missing]
        images = np.pad(images, ((0, 0), *halves, (0, 0)))
    rows, columns = ((n - side) // stride + 1 for n in images.shape[1:3])
    out = np.zeros((len(images), rows, columns, kernel.shape[3]))
    for p, q in itertools.product(range(rows), range(columns)):
        patch = images[:, stride * p : stride * p + side, stride * q : stride * q + side]
        out[:, p, q] = np.einsum("nabi,abij->nj", patch, kernel)
    return out


@pytest.mark.parametrize(("side", "stride", "padding"), CASES)
def test_every_method_is_the_sum_over_patches(side, stride, padding):
    images = drawn()
    kernel = jnp.asarray(np.random.default_rng(1).standard_normal((side, side, 2, 3)))
    expected = by_hand(np.asarray(images), np.asarray(kernel), stride, padding)
    for method in convolution.METHODS:
        over = made(side, stride, padding, method)
        found = convolution.convolve(images, kernel, over)
        np.testing.assert_allclose(found, expected, rtol=0, atol=ROUND_OFF)
        assert found.shape[1:3] == convolution.patches(convolution.Shape(7, 6, 2), side, over)


@pytest.mark.parametrize(("stride", "padding"), [(1, "valid"), (2, "same")])
def test_methods_have_the_same_derivatives_in_loops_and_over_members(stride, padding):
    images = drawn()
    kernels = jnp.asarray(np.random.default_rng(1).standard_normal((3, 3, 3, 2, 3)))

    def slopes(method):
        over = made(3, stride, padding, method)

        def size(kernel, given):
            return jnp.sum(jnp.tanh(convolution.convolve(given, kernel, over)))

        both = jax.grad(size, argnums=(0, 1))
        mapped = jax.lax.map(lambda kernel: both(kernel, images), kernels)
        return mapped, jax.vmap(lambda kernel: both(kernel, images))(kernels)

    found = {method: jax.jit(lambda m=method: slopes(m))() for method in convolution.METHODS}
    reference = found["library"][0]
    for mapped, together in found.values():
        for ours in (mapped, together):
            jax.tree.map(
                lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-11), ours, reference
            )


def test_auto_is_slices_on_a_cpu():
    """To the bit, and without a convolution in the compiled program."""
    images, kernel = drawn(), jnp.ones((3, 3, 2, 3))
    one, other = (made(3, 2, "same", method) for method in ("auto", "slices"))
    program = jax.jit(lambda h, k: convolution.convolve(h, k, one))
    assert " convolution(" not in program.lower(images, kernel).compile().as_text()
    slices = jax.jit(lambda h, k: convolution.convolve(h, k, other))
    np.testing.assert_array_equal(program(images, kernel), slices(images, kernel))


def test_weights_travel_to_pytorchs_layout_and_back():
    """A forward pass written in PyTorch's layout, channels first, gives the same outputs."""
    network = models.convnet((8, 9, 2), (3, 4), (5,), outputs=2, strides=(1, 2))
    weights = network.init(jax.random.key(0))
    theirs = models.torch_weights(network, weights)
    assert network.layers[1].gives == (2, 3, 4)  # what is made flat, no two axes alike
    images = np.random.default_rng(2).standard_normal((3, 8, 9, 2))
    hidden = images.transpose(0, 3, 1, 2)
    for kernel, stride in zip(theirs[:2], (1, 2), strict=True):
        last = by_hand(hidden.transpose(0, 2, 3, 1), kernel.transpose(2, 3, 1, 0), stride, "valid")
        hidden = np.maximum(last, 0).transpose(0, 3, 1, 2)
    hidden = np.maximum(hidden.reshape(3, -1) @ theirs[2].T, 0) @ theirs[3].T
    np.testing.assert_allclose(network.apply(weights, images), hidden, rtol=0, atol=ROUND_OFF)
    names = ("0.weight", "2.weight", "5.weight", "7.weight")
    back = models.foreign_weights(network, dict(zip(names, theirs, strict=True)))
    for ours, layer in zip(back, weights, strict=True):
        np.testing.assert_array_equal(ours, layer)


def test_strides_of_numpy_are_whole_numbers_too():
    assert models.convnet((8, 8, 1), (4,), strides=np.int64(2)) is models.convnet(
        (8, 8, 1), (4,), strides=2
    )
    with pytest.raises(ValueError, match="strides as whole numbers"):
        models.convnet((8, 8, 1), (4,), strides=2.0)
