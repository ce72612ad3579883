"""Make golden.npz: what PyTorch computes in float64 for our conventions. Needs torch; the tests do not.

    python tests/nn/golden/make_golden.py

Written from the formulas with torch's own batch norm, cross-entropy and autograd, and shares no code with
pandatui. Each case is 50 steps on ragged mini-batches, with L2 and nudges of α, β and β₂ on the
way, and an evaluation in test mode at the end.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

WIDTHS = (5, 7, 4, 3)
STEPS, TRAIN_ROWS, DEV_ROWS = 50, 40, 17
L2 = 0.8  # λ; the gradient of a weight matrix gets λ/m_train times it
ACTIVATIONS = {
    "relu": torch.relu,
    "leaky_relu": lambda y: functional.leaky_relu(y, 0.01),
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}
CASES = [  # optimizer, activation, batch norm
    ("sgd", "relu", True),
    ("momentum", "relu", True),
    ("rmsprop", "relu", True),
    ("adam", "relu", True),
    ("adam", "tanh", True),
    ("momentum", "leaky_relu", False),
    ("adam", "sigmoid", False),
    ("rmsprop", "tanh", False),
]


def knobs(optimizer: str, step: int) -> tuple[float, float, float]:
    """α, β, β₂ of a step, counted from 1."""
    rate = 0.1 if optimizer in ("sgd", "momentum") else 0.01
    return (
        rate * (10**0.1 if step >= 21 else 1),
        0.99 if step >= 11 else 0.9,
        0.99 if step >= 31 else 0.999,
    )


def batch_rows(step: int) -> slice:
    """Mini-batches of 16, 16 and a ragged 8."""
    start = (step - 1) % 3 * 16
    return slice(start, min(start + 16, TRAIN_ROWS))


def logits_of(x, p, activation, batch_norm, running=None):
    """Logits, and the batch's means and biased variances in order. `running` is for test mode."""
    statistics = []
    a = x
    for i in (1, 2):
        z = a @ p[f"W{i}"]
        if batch_norm:
            if running is None:
                mean, variance = z.mean(0).detach(), z.var(0, unbiased=False).detach()
                statistics += [mean, variance]
                y = functional.batch_norm(z, None, None, p[f"scale{i}"], p[f"shift{i}"], True, 0.0, 1e-5)
            else:
                mean, variance = running[2 * i - 2], running[2 * i - 1]
                y = functional.batch_norm(z, mean, variance, p[f"scale{i}"], p[f"shift{i}"], False, 0.0, 1e-5)
        else:
            y = z + p[f"b{i}"]
        a = ACTIVATIONS[activation](y)
    return a @ p["W3"] + p["b3"], statistics


def case(optimizer: str, activation: str, batch_norm: bool, x, labels, dev_x, dev_labels) -> dict:
    draw = torch.Generator().manual_seed(7)

    def normal(*shape):
        return torch.randn(*shape, generator=draw)

    p = {}
    for i, (rows, columns) in enumerate(pairwise(WIDTHS), start=1):
        p[f"W{i}"] = 0.6 * normal(rows, columns)
        if batch_norm and i < 3:
            p[f"scale{i}"], p[f"shift{i}"] = 1 + 0.2 * normal(columns), 0.2 * normal(columns)
        else:
            p[f"b{i}"] = 0.2 * normal(columns)
    out = {f"start/{name}": value.numpy().copy() for name, value in p.items()}
    first = {name: torch.zeros_like(value) for name, value in p.items()}
    second = {name: torch.zeros_like(value) for name, value in p.items()}
    first_product = second_product = 1.0
    running, running_steps, costs = None, 0, []
    for step in range(1, STEPS + 1):
        rows = batch_rows(step)
        rate, beta, beta2 = knobs(optimizer, step)
        for value in p.values():
            value.requires_grad_(True)
            value.grad = None
        logits, statistics = logits_of(x[rows], p, activation, batch_norm)
        cost = functional.cross_entropy(logits, labels[rows])
        costs.append(cost.item())
        penalty = sum((value**2).sum() for name, value in p.items() if name[0] == "W")
        (cost + L2 / (2 * TRAIN_ROWS) * penalty).backward()
        gradients = {name: value.grad for name, value in p.items()}
        if step == 1:
            out |= {f"gradient/{name}": g.numpy().copy() for name, g in gradients.items()}
            out |= {f"statistic/{j}": s.numpy().copy() for j, s in enumerate(statistics)}
        running = running or [torch.zeros_like(s) for s in statistics]
        running = [0.9 * old + 0.1 * new for old, new in zip(running, statistics, strict=True)]
        running_steps += 1
        first_product, second_product = first_product * beta, second_product * beta2
        with torch.no_grad():
            for name, g in gradients.items():
                first[name] = beta * first[name] + (1 - beta) * g
                second[name] = beta2 * second[name] + (1 - beta2) * g**2
                corrected_first = first[name] / (1 - first_product)
                corrected_second = second[name] / (1 - second_product)
                match optimizer:
                    case "sgd":
                        change = g
                    case "momentum":
                        change = first[name]
                    case "rmsprop":
                        change = g / (corrected_second.sqrt() + 1e-8)
                    case "adam":
                        change = corrected_first / (corrected_second.sqrt() + 1e-8)
                p[name] = p[name].detach() - rate * change
    corrected = [r / (1 - 0.9**running_steps) for r in running]
    logits, _ = logits_of(dev_x, p, activation, batch_norm, corrected)
    out |= {f"end/{name}": value.detach().numpy() for name, value in p.items()}
    out |= {f"corrected/{j}": r.numpy() for j, r in enumerate(corrected)}
    out["costs"] = np.array(costs)
    out["dev_logits"] = logits.detach().numpy()
    out["dev_cost"] = functional.cross_entropy(logits, dev_labels).item()
    out["dev_accuracy"] = (logits.argmax(1) == dev_labels).double().mean().item()
    return out


def main() -> None:
    draw = torch.Generator().manual_seed(3)
    x, dev_x = (torch.randn(rows, WIDTHS[0], generator=draw) for rows in (TRAIN_ROWS, DEV_ROWS))
    labels, dev_labels = (
        torch.randint(WIDTHS[-1], (rows,), generator=draw) for rows in (TRAIN_ROWS, DEV_ROWS)
    )
    arrays = {
        "x": x.numpy(),
        "labels": labels.numpy(),
        "dev_x": dev_x.numpy(),
        "dev_labels": dev_labels.numpy(),
    }
    arrays["l2"] = np.array(L2 / TRAIN_ROWS)
    for optimizer, activation, batch_norm in CASES:
        key = f"{optimizer}-{activation}-{'bn' if batch_norm else 'plain'}"
        arrays[f"{key}/knobs"] = np.array([knobs(optimizer, step) for step in range(1, STEPS + 1)])
        made = case(optimizer, activation, batch_norm, x, labels, dev_x, dev_labels)
        arrays |= {f"{key}/{name}": value for name, value in made.items()}
    rows = [batch_rows(step) for step in range(1, STEPS + 1)]
    arrays["rows"] = np.array([(r.start, r.stop) for r in rows])
    np.savez_compressed(Path(__file__).with_name("golden.npz"), **arrays)


if __name__ == "__main__":
    main()
