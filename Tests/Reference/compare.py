"""Compare the tensors that two safetensors files have in common; exit 1 when one differs by more than allowed."""
import argparse
import sys

import torch
from safetensors.torch import load_file


def difference(a, b):
    """Largest absolute difference over the largest absolute value of `a`; inf for another shape or NaN.

    Integers are equal (0) or not (1).
    """
    if a.shape != b.shape:
        return float("inf")
    if not (a.is_floating_point() and b.is_floating_point()):
        return float(not torch.equal(a, b))
    if a.numel() == 0:
        return 0.0
    gap = (a.double() - b.double()).abs().max().item()
    scale = a.double().abs().max().item()
    if gap != gap or scale != scale:
        return float("inf")
    return gap / scale if scale else gap


def compare(a, b, tolerance, report=print):
    """Worst relative difference over the common names of two {name: tensor}; None when nothing is common."""
    common = sorted(set(a) & set(b), key=lambda name: (len(name), name))
    worst = None
    for name in common:
        value = difference(a[name], b[name])
        worst = value if worst is None else max(worst, value)
        largest = a[name].abs().max().item() if a[name].numel() else 0
        report(f"{'ok  ' if value <= tolerance else 'FAIL'} {name} {list(a[name].shape)} "
               f"relative {value:.3g} largest {largest:.4g}")
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("a", help="the reference")
    parser.add_argument("b")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    options = parser.parse_args()
    worst = compare(load_file(options.a), load_file(options.b), options.tolerance)
    if worst is None:
        sys.exit("no tensor in common")
    sys.exit(0 if worst <= options.tolerance else 1)


if __name__ == "__main__":
    main()
