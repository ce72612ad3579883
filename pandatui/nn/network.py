"""A population of K multilayer perceptrons of one shape over one flat (K, n) parameter array.

The flat array is what the optimizer turns; the layers see named views of it: all weight matrices first
(so that L2 is one product), then biases, scales and shifts. Learned parameters, running statistics and
optimizer state are three things and never mixed. Buffers are made once for a batch size and kept.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from pandatui.nn import layers
from pandatui.nn.layers import ACTIVATIONS, Array, BatchNormCache
from pandatui.nn.losses import LossCache, cross_entropy, cross_entropy_backward

RUNNING_WEIGHT = 0.9
EVALUATION_ROWS = 1024  # always: other chunks give other bits
_KEPT_BATCH_SIZES = 4
_BLOCK = 131_072  # weights at a time in the penalty's gradient


class Rows(Protocol):
    """Inputs (rows, p) that are looked at slice by slice: an array, or what reads them when it is asked."""

    def __len__(self) -> int: ...
    def __getitem__(self, rows: slice, /) -> Array: ...


See = Callable[[int, Array], None]


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
class _ByLayer:
    """The views of one flat array, layer by layer: what the passes loop over."""

    W: tuple[Array, ...]  # (K, p, n) each
    b: tuple[Array, ...]  # (K, 1, n): of the output layer alone under batch norm, else of all
    scale: tuple[Array, ...]  # (K, 1, n), none without batch norm
    shift: tuple[Array, ...]

    @classmethod
    def of(cls, views: dict[str, Array]) -> "_ByLayer":
        def all_named(start: str) -> tuple[Array, ...]:
            return tuple(view for name, view in views.items() if name.startswith(start))

        return cls(W=all_named("W"), b=all_named("b"), scale=all_named("scale"), shift=all_named("shift"))


@dataclass(frozen=True, slots=True, eq=False)
class _Workspace:
    """Every buffer that a step on m examples writes to. Each tuple has one entry per hidden layer."""

    z: tuple[Array, ...]  # (K, m, n): z, centred by batch norm; without it the same buffers as a
    a: tuple[Array, ...]  # (K, m, n): y, then a = g(y)
    da: tuple[Array, ...]  # (K, m, n): da, then dy, then dz
    scratch: tuple[Array, ...]  # (K, m, n), all in the same memory
    forward_scratch: tuple[Array, ...]  # the same, or zeros (m, n), for the activation's forward pass
    norms: tuple[BatchNormCache, ...]
    logits: Array  # (K, C, m), then dlogits
    loss: LossCache
    ones_row: Array  # (1, m)


class Network:
    """K members. `parameters`, `gradients`: (K, n). `running`: (K, r), the averages used in test mode.

    `running_products` (K, 1) are ∏ρ over the steps each member absorbed: the bias correction is 1 − ∏ρ.
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
        self.running_products = np.ones((members, 1))
        self.views = _views(self.parameters, shapes)
        self.gradient_views = _views(self.gradients, shapes)
        self.n_weights = sum(r * c for name, (r, c) in shapes.items() if name.startswith("W"))
        self._penalty = np.empty((members, min(self.n_weights, _BLOCK)), self.dtype)
        self._p, self._g = _ByLayer.of(self.views), _ByLayer.of(self.gradient_views)
        self._batch_views = _views(self.batch_statistics, statistics)
        self._running_scratch = np.empty_like(self.running)
        self._old, self._new = np.array(RUNNING_WEIGHT, self.dtype), np.array(1 - RUNNING_WEIGHT, self.dtype)
        self._activation = ACTIVATIONS[architecture.activation]
        self._workspaces: dict[int, _Workspace] = {}
        for scale in self._p.scale:
            scale[...] = 1

    @property
    def running_product(self) -> float:
        """∏ρ of a lone network, or of a population whose members have all taken the same steps."""
        return float(self.running_products[0, 0])

    @running_product.setter
    def running_product(self, product: float) -> None:
        self.running_products[...] = product

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
        w, p = self._workspace(x.shape[-2]), self._p
        a = x
        for i, y in enumerate(w.a):
            layers.dense(a, p.W[i], w.z[i])
            if self.architecture.batch_norm:
                layers.batch_norm(w.z[i], p.scale[i], p.shift[i], w.norms[i], y)
            else:
                np.add(y, p.b[i], out=y)
            self._activation.forward(y, w.forward_scratch[i])
            a = y
        # the logits transposed, classes before examples: Wᵀ aᵀ + bᵀ
        np.matmul(p.W[-1].mT, a.mT, out=w.logits)
        np.add(w.logits, p.b[-1].mT, out=w.logits)
        rows = cross_entropy(w.logits, labels, w.loss)
        costs: Array = np.add.reduce(rows, axis=-1)
        return np.divide(costs, w.loss.examples, out=costs)

    def backward(self, x: Array) -> None:
        """Fill `gradients` with those of the mini-batch that `forward` has just seen (without L2)."""
        w, p, g = self._workspace(x.shape[-2]), self._p, self._g
        cross_entropy_backward(w.logits, w.loss)
        dz = w.logits.mT  # (K, m, C)
        np.matmul(w.ones_row, dz, out=g.b[-1])
        for i in reversed(range(len(w.a))):
            a, da = w.a[i], w.da[i]
            layers.dense_backward(a, p.W[i + 1], dz, g.W[i + 1], da)
            self._activation.backward(a, da, w.scratch[i])
            if self.architecture.batch_norm:
                layers.batch_norm_backward(da, w.z[i], g.scale[i], g.shift[i], w.norms[i])
            else:
                np.matmul(w.ones_row, da, out=g.b[i])
            dz = da
        layers.dense_backward(x, p.W[0], dz, g.W[0], None)

    def add_l2(self, strength: Array) -> None:
        """Add d/dW of λ/(2 m_train)·‖W‖² for the weight matrices alone; `strength` = λ/m_train, (K, 1)."""
        for start in range(0, self.n_weights, _BLOCK):
            part = slice(start, min(self.n_weights, start + _BLOCK))
            scratch = self._penalty[:, : part.stop - start]
            np.multiply(self.parameters[:, part], strength, out=scratch)
            np.add(self.gradients[:, part], scratch, out=self.gradients[:, part])

    def absorb_statistics(self) -> None:
        """r ← ρ r + (1 − ρ) new, for the means and (biased) variances of the last mini-batch."""
        np.multiply(self.running, self._old, out=self.running)
        np.multiply(self.batch_statistics, self._new, out=self._running_scratch)
        np.add(self.running, self._running_scratch, out=self.running)
        np.multiply(self.running_products, RUNNING_WEIGHT, out=self.running_products)

    # -- test mode ---------------------------------------------------------------------------------------

    def test_statistics(self) -> dict[str, Array]:
        """Bias-corrected running means and variances by name, (K, 1, n); 0 and 1 before the first step."""
        fresh = self.running_products == 1  # (K, 1)
        corrections = np.where(fresh, 1, 1 - self.running_products).astype(self.dtype)
        views = _views(self.running / corrections, self.architecture.statistic_shapes())
        for name, view in views.items():
            view[fresh[:, 0]] = name.startswith("variance")
        return views

    def logits(self, x: Rows, see: See | None = None) -> Iterator[tuple[slice, Array]]:
        """Test-mode logits of x (rows, p), in chunks of 1,024 rows: (which rows, (K, rows, C)).

        `see(i, y)` is shown what goes into the activation of hidden layer i (from 0), (K, rows, n), of the
        first chunk.
        """
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
                if see is not None and start == 0:
                    see(i - 1, y)
                self._activation.forward(y, np.zeros_like(y))
                a = y
            rows = slice(start, min(start + EVALUATION_ROWS, len(x)))
            yield rows, a @ v[f"W{last}"] + v[f"b{last}"]

    def evaluate(self, x: Rows, labels: Array, see: See | None = None) -> tuple[Array, Array]:
        """Mean cost and accuracy of each member on x (rows, p) in test mode, float64 (K,). Changes no state.

        Ties of argmax go to the lowest index. Non-finite numbers come out as they are, never as an error.
        """
        cost, right = np.zeros(self.members), np.zeros(self.members)
        with np.errstate(all="ignore"):
            for rows, logits in self.logits(x, see):
                right += (logits.argmax(axis=-1) == labels[rows]).sum(axis=-1)
                cache = LossCache.of(self.members, logits.shape[1], logits.shape[2], self.dtype)
                # to float64 before the sum: a buffered cast would split it by the population's size
                by_class = np.ascontiguousarray(logits.mT)
                cost += cross_entropy(by_class, labels[rows], cache).astype(np.float64).sum(axis=-1)
            return cost / len(x), right / len(x)

    def probabilities(self, x: Rows) -> Array:
        """Test-mode class probabilities of x (rows, p), as (K, rows, C)."""
        out = np.empty((self.members, len(x), self.architecture.classes), self.dtype)
        for rows, logits in self.logits(x):
            logits -= logits.max(axis=-1, keepdims=True)
            np.exp(logits, out=logits)
            out[:, rows] = logits / logits.sum(axis=-1, keepdims=True)
        return out

    def named(self, flat: Array) -> dict[str, Array]:
        """Views by name of an array like `parameters`, (K, rows, columns) each."""
        return _views(flat, self.architecture.parameter_shapes())

    # -- the population ----------------------------------------------------------------------------------

    def keep(self, members: Sequence[int]) -> "Network":
        """A network of just these members, by index, with their parameters and running averages."""
        kept = Network(self.architecture, len(members), self.dtype.name)
        kept.parameters[...] = self.parameters[list(members)]
        kept.running[...] = self.running[list(members)]
        kept.running_products[...] = self.running_products[list(members)]
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
        classes, batch_norm = self.architecture.classes, self.architecture.batch_norm
        shared = np.empty(K * m * max(hidden, default=0), dtype)

        def per_layer() -> tuple[Array, ...]:
            return tuple(np.empty((K, m, n), dtype) for n in hidden)

        def row(n: int) -> Array:
            return np.empty((K, 1, n), dtype)

        a = per_layer()
        scratch = tuple(shared[: K * m * n].reshape(K, m, n) for n in hidden)
        nothing = np.zeros(m * max(hidden, default=0) if self._activation.zeros else 0, dtype)
        zeros = tuple(nothing[: m * n].reshape(-1, n) for n in hidden)
        ones_row, mean_row = np.ones((1, m), dtype), np.full((1, m), 1 / m, dtype)
        return _Workspace(
            z=per_layer() if batch_norm else a,
            a=a,
            da=per_layer(),
            scratch=scratch,
            forward_scratch=zeros if self._activation.zeros else scratch,
            norms=tuple(
                BatchNormCache(
                    mean_row=mean_row,
                    ones_row=ones_row,
                    examples=np.array(m, dtype),
                    epsilon=np.array(layers.BATCH_NORM_EPSILON, dtype),
                    mean=self._batch_views[f"mean{i}"],
                    variance=self._batch_views[f"variance{i}"],
                    deviation=row(n),
                    gain=row(n),
                    row=row(n),
                    scratch=scratch[i - 1],
                )
                for i, n in enumerate(hidden if batch_norm else (), start=1)
            ),
            logits=np.empty((K, classes, m), dtype),
            loss=LossCache.of(K, m, classes, dtype),
            ones_row=ones_row,
        )
