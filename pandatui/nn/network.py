"""A population of K multilayer perceptrons of one shape over one flat (K, n) parameter array.

The flat array is what the optimizer turns; the layers see named views of it: all weight matrices first
(so that L2 is one product), then biases, scales and shifts. Learned parameters, running statistics and
optimizer state are three things and never mixed. Buffers are made once for a batch size and kept.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pandatui.nn import layers
from pandatui.nn.layers import ACTIVATIONS, Array, BatchNormCache
from pandatui.nn.losses import LossCache, cross_entropy, cross_entropy_backward

RUNNING_WEIGHT = 0.9
EVALUATION_ROWS = 1024  # always: other chunks give other bits
_KEPT_BATCH_SIZES = 4


@dataclass(frozen=True, slots=True)
class Architecture:
    """The shape that all members share. Raises ValueError where it can't be built."""

    inputs: int
    hidden: tuple[int, ...]
    classes: int
    activation: str = "relu"
    batch_norm: bool = True

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation {self.activation!r}: expected one of {', '.join(ACTIVATIONS)}")
        if self.classes < 2:
            raise ValueError(f"{self.classes} class: a softmax needs at least 2")
        if min(self.widths) < 1:
            raise ValueError(f"widths {self.widths}: every layer needs at least one unit")

    @property
    def widths(self) -> tuple[int, ...]:
        return (self.inputs, *self.hidden, self.classes)

    def parameter_shapes(self) -> dict[str, tuple[int, int]]:
        """Name → (rows, columns) of each learned array, in the order of the flat array."""
        shapes = {f"W{i}": pair for i, pair in enumerate(pairwise(self.widths), start=1)}
        for i, n in enumerate(self.widths[1:], start=1):
            if self.batch_norm and i <= len(self.hidden):
                shapes[f"scale{i}"] = shapes[f"shift{i}"] = (1, n)
            else:  # under batch norm a bias would be cancelled by the removal of the mean
                shapes[f"b{i}"] = (1, n)
        return shapes

    def statistic_shapes(self) -> dict[str, tuple[int, int]]:
        """Name → (1, units) of each running mean and variance, in the order of their flat array."""
        if not self.batch_norm:
            return {}
        return {
            f"{kind}{i}": (1, n) for i, n in enumerate(self.hidden, start=1) for kind in ("mean", "variance")
        }


def _views(flat: Array, shapes: dict[str, tuple[int, int]]) -> dict[str, Array]:
    """Named (K, rows, columns) views of a flat (K, n) array."""
    views, start = {}, 0
    for name, (rows, columns) in shapes.items():
        views[name] = flat[:, start : start + rows * columns].reshape(len(flat), rows, columns)
        start += rows * columns
    return views


def _size(shapes: dict[str, tuple[int, int]]) -> int:
    return sum(rows * columns for rows, columns in shapes.values())


@dataclass(frozen=True, slots=True, eq=False)
class _Workspace:
    """Every buffer that a training step on m examples writes to."""

    activations: tuple[Array, ...]  # per hidden layer (K, m, n): y, then a = g(y); the output's logits last
    pre_norms: tuple[Array, ...]  # per hidden layer with batch norm: z, then centred z
    gradients: tuple[Array, ...]  # per hidden layer: da, then dy, then dz
    scratch: tuple[Array, ...]
    norms: tuple[BatchNormCache, ...]
    loss: LossCache
    ones_row: Array  # (1, m)


class Network:
    """K members. `parameters`, `gradients`: (K, n). `running`: (K, r), the averages used in test mode.

    `running_product` is ∏ρ over the steps absorbed, the bias correction's 1 − ∏ρ; 1.0 before the first.
    """

    def __init__(self, architecture: Architecture, members: int = 1, dtype: str = "float32") -> None:
        self.architecture = architecture
        self.members = members
        self.dtype = np.dtype(dtype)
        shapes, statistics = architecture.parameter_shapes(), architecture.statistic_shapes()
        self.parameters = np.zeros((members, _size(shapes)), self.dtype)
        self.gradients = np.zeros_like(self.parameters)
        self.running = np.zeros((members, _size(statistics)), self.dtype)
        self.batch_statistics = np.zeros_like(self.running)
        self.running_product = 1.0
        self.views = _views(self.parameters, shapes)
        self.gradient_views = _views(self.gradients, shapes)
        self._batch_views = _views(self.batch_statistics, statistics)
        self._running_scratch = np.empty_like(self.running)
        self.n_weights = sum(r * c for name, (r, c) in shapes.items() if name.startswith("W"))
        self._activation = ACTIVATIONS[architecture.activation]
        self._workspaces: dict[int, _Workspace] = {}
        for name, view in self.views.items():
            if name.startswith("scale"):
                view[...] = 1

    def initialise(self, streams: Sequence[np.random.Generator]) -> None:
        """Draw each member's weights from its own stream: He normal for the ReLU family, else Glorot normal.

        Drawn in float64 and cast, so that float32 and float64 start alike.
        """
        last = f"W{len(self.architecture.widths) - 1}"
        for name, (rows, columns) in self.architecture.parameter_shapes().items():
            if not name.startswith("W"):
                continue
            he = self._activation.he and name != last
            deviation = math.sqrt(2 / rows if he else 2 / (rows + columns))
            for member, stream in enumerate(streams):
                self.views[name][member] = stream.standard_normal((rows, columns)) * deviation

    # -- training mode -----------------------------------------------------------------------------------

    def forward(self, x: Array, labels: Array) -> Array:
        """Train-mode costs of a mini-batch, one per member, as (K,). Changes no state but the workspace.

        x: (m, p) shared or (K, m, p); labels: (m,) or (K, m).
        """
        w = self._workspace(x.shape[-2])
        v = self.views
        a = x
        for i, hidden in enumerate(w.activations[:-1]):
            if self.architecture.batch_norm:
                z = w.pre_norms[i]
                layers.dense(a, v[f"W{i + 1}"], z)
                layers.batch_norm(z, v[f"scale{i + 1}"], v[f"shift{i + 1}"], w.norms[i], hidden)
            else:
                layers.dense(a, v[f"W{i + 1}"], hidden)
                np.add(hidden, v[f"b{i + 1}"], out=hidden)
            self._activation.forward(hidden)
            a = hidden
        last, logits = len(w.activations), w.activations[-1]
        layers.dense(a, v[f"W{last}"], logits)
        np.add(logits, v[f"b{last}"], out=logits)
        rows = cross_entropy(logits, labels, w.loss)
        costs: Array = np.add.reduce(rows, axis=-1) / rows.shape[-1]
        return costs

    def backward(self, x: Array) -> None:
        """Fill `gradients` with those of the mini-batch that `forward` has just seen (without L2)."""
        w = self._workspace(x.shape[-2])
        v, g = self.views, self.gradient_views
        last = len(w.activations)
        dz = w.activations[-1]
        cross_entropy_backward(dz, w.loss)
        np.matmul(w.ones_row, dz, out=g[f"b{last}"])
        for i in range(last - 1, -1, -1):
            a = w.activations[i - 1] if i else x
            da = w.gradients[i - 1] if i else None
            layers.dense_backward(a, v[f"W{i + 1}"], dz, g[f"W{i + 1}"], da)
            if da is None:
                return
            self._activation.backward(a, da, w.scratch[i - 1])
            if self.architecture.batch_norm:
                layers.batch_norm_backward(
                    da, w.pre_norms[i - 1], g[f"scale{i}"], g[f"shift{i}"], w.norms[i - 1]
                )
            else:
                np.matmul(w.ones_row, da, out=g[f"b{i}"])
            dz = da

    def add_l2(self, strength: Array) -> None:
        """Add the gradient of λ/(2 m_train)·‖W‖² to that of the weight matrices; `strength` = λ/m_train, (K, 1)."""
        n = self.n_weights
        self.gradients[:, :n] += self.parameters[:, :n] * strength

    def absorb_statistics(self) -> None:
        """r ← ρ r + (1 − ρ) new, for the means and (biased) variances of the last mini-batch."""
        np.multiply(self.running, RUNNING_WEIGHT, out=self.running)
        np.multiply(self.batch_statistics, 1 - RUNNING_WEIGHT, out=self._running_scratch)
        np.add(self.running, self._running_scratch, out=self.running)
        self.running_product *= RUNNING_WEIGHT

    # -- test mode ---------------------------------------------------------------------------------------

    def test_statistics(self) -> dict[str, Array]:
        """Bias-corrected running means and variances by name, (K, 1, n); 0 and 1 before the first step."""
        shapes = self.architecture.statistic_shapes()
        if self.running_product == 1.0:
            flat = np.zeros_like(self.running)
            views = _views(flat, shapes)
            for name, view in views.items():
                view[...] = name.startswith("variance")
            return views
        return _views(self.running / self.dtype.type(1 - self.running_product), shapes)

    def logits(self, x: Array) -> Iterator[tuple[slice, Array]]:
        """Test-mode logits of x (rows, p), in chunks of 1,024 rows: (which rows, (K, rows, C))."""
        statistics, v = self.test_statistics(), self.views
        deviations = {
            name: np.sqrt(variance + self.dtype.type(layers.BATCH_NORM_EPSILON))
            for name, variance in statistics.items()
            if name.startswith("variance")
        }
        last = len(self.architecture.hidden) + 1
        for start in range(0, len(x), EVALUATION_ROWS):
            a: Array = x[start : start + EVALUATION_ROWS]
            for i in range(1, last):
                y = a @ v[f"W{i}"]
                if self.architecture.batch_norm:
                    y -= statistics[f"mean{i}"]
                    y *= v[f"scale{i}"] / deviations[f"variance{i}"]
                    y += v[f"shift{i}"]
                else:
                    y += v[f"b{i}"]
                self._activation.forward(y)
                a = y
            yield (
                slice(start, start + len(x[start : start + EVALUATION_ROWS])),
                a @ v[f"W{last}"] + v[f"b{last}"],
            )

    def evaluate(self, x: Array, labels: Array) -> tuple[Array, Array]:
        """Mean cost and accuracy of each member on x (rows, p) in test mode, two float64 (K,); changes no state.

        Ties of argmax go to the lowest index. Non-finite numbers come out as they are, never as an error.
        """
        cost, right = np.zeros(self.members), np.zeros(self.members)
        with np.errstate(all="ignore"):
            for rows, logits in self.logits(x):
                right += (logits.argmax(axis=-1) == labels[rows]).sum(axis=-1)
                cache = LossCache.of(self.members, logits.shape[1], logits.shape[2], self.dtype)
                # to float64 before the sum: a buffered cast would split it by the population's size
                cost += cross_entropy(logits, labels[rows], cache).astype(np.float64).sum(axis=-1)
            return cost / len(x), right / len(x)

    def probabilities(self, x: Array) -> Array:
        """Test-mode class probabilities of x (rows, p), as (K, rows, C)."""
        out = np.empty((self.members, len(x), self.architecture.classes), self.dtype)
        for rows, logits in self.logits(x):
            logits -= logits.max(axis=-1, keepdims=True)
            np.exp(logits, out=logits)
            out[:, rows] = logits / logits.sum(axis=-1, keepdims=True)
        return out

    # -- the population ----------------------------------------------------------------------------------

    def keep(self, members: Sequence[int]) -> "Network":
        """A network of just these members, by index, with their parameters and running averages."""
        kept = Network(self.architecture, len(members), self.dtype.name)
        kept.parameters[...] = self.parameters[list(members)]
        kept.running[...] = self.running[list(members)]
        kept.running_product = self.running_product
        return kept

    def _workspace(self, m: int) -> _Workspace:
        found = self._workspaces.get(m)
        if found is None:
            while len(self._workspaces) >= _KEPT_BATCH_SIZES:
                self._workspaces.pop(next(iter(self._workspaces)))
            found = self._workspaces[m] = self._make_workspace(m)
        return found

    def _make_workspace(self, m: int) -> _Workspace:
        K, dtype, hidden = self.members, self.dtype, self.architecture.hidden

        def per_layer() -> tuple[Array, ...]:
            return tuple(np.empty((K, m, n), dtype) for n in hidden)

        def row(n: int) -> Array:
            return np.empty((K, 1, n), dtype)

        scratch = per_layer()
        with_norm = hidden if self.architecture.batch_norm else ()
        return _Workspace(
            activations=(*per_layer(), np.empty((K, m, self.architecture.classes), dtype)),
            pre_norms=per_layer() if with_norm else (),
            gradients=per_layer(),
            scratch=scratch,
            norms=tuple(
                BatchNormCache(
                    mean_row=np.full((1, m), 1 / m, dtype),
                    mean=self._batch_views[f"mean{i}"],
                    variance=self._batch_views[f"variance{i}"],
                    inverse_deviation=row(n),
                    gain=row(n),
                    mean_dy=row(n),
                    mean_dy_z=row(n),
                    scratch=scratch[i - 1],
                )
                for i, n in enumerate(with_norm, start=1)
            ),
            loss=LossCache.of(K, m, self.architecture.classes, dtype),
            ones_row=np.ones((1, m), dtype),
        )
