#!/usr/bin/env python3
"""Times PyTorch's own operations at the shapes of a table of ours, one JSON line a row: op, shape, dtype, seconds.

    bench/gpu-kit/peer_kernels.py BENCH.jsonl [--device cuda] [--seconds 40]
    bench/gpu-kit/peer_kernels.py --covers

BENCH.jsonl is what `repnoise bench --json` wrote; an operation that PyTorch has no call for (pairs of texts, the MMD term, scalars) is left out.
Times are medians of seven samples between two events of the device, a sample long enough for its clock, after a warm-up of the same. Multiplications of
float32 are float32, not TF32.
"""
import argparse
import json
import statistics
import sys
import time


def product(torch, make, s, form):
    if form == "nt":
        x, w = make(s["m"], s["k"]), make(s["n"], s["k"])
        return lambda: torch.nn.functional.linear(x, w)
    if form == "nn":
        x, w = make(s["m"], s["k"]), make(s["k"], s["n"])
        return lambda: x @ w
    x, w = make(s["k"], s["m"]), make(s["k"], s["n"])
    return lambda: x.T @ w


def with_bias(torch, make, s):
    x, w, bias = make(s["m"], s["k"]), make(s["n"], s["k"]), make(s["n"])
    return lambda: torch.nn.functional.linear(x, w, bias)


def backward(torch, output, inputs):
    """The gradients of an output that is kept, as often as one likes."""
    gradient = torch.randn_like(output)
    return lambda: torch.autograd.grad(output, inputs, gradient, retain_graph=True)


def norm(torch, make, s, kind):
    x, w = make(s["n"], s["groups"], s["c"]), make(s["c"])
    call = lambda x: torch.nn.functional.rms_norm(x, (s["c"],), w, 1e-6)
    if kind == "backward":
        return backward(torch, call(x.requires_grad_()), (x, w.requires_grad_()))
    if kind == "add":
        more = make(s["n"], s["groups"], s["c"])
        return lambda: call(x + more)
    return lambda: call(x)


def swiglu(torch, make, s, gradient):
    x = make(s["n"], 2 * s["f"])
    call = lambda: torch.nn.functional.silu(x[:, :s["f"]]) * x[:, s["f"]:]
    return backward(torch, (x.requires_grad_(), call())[1], (x,)) if gradient else call


def rotary(torch, make, s):
    x, cos, sin = make(s["n"], s["nh"], s["hs"]), make(s["n"], 1, s["hs"]), make(s["n"], 1, s["hs"])
    half = s["hs"] // 2
    return lambda: x * cos + torch.cat((-x[..., half:], x[..., :half]), -1) * sin


def attention(torch, make, s, gradient):
    if s["window"]:
        return None
    q, k, v = make(s["b"], s["nh"], s["t"], s["hs"]), make(s["b"], s["nkv"], s["t"], s["hs"]), make(s["b"], s["nkv"], s["t"], s["hs"])
    inputs = tuple(tensor.requires_grad_(gradient) for tensor in (q, k, v))
    call = lambda: torch.nn.functional.scaled_dot_product_attention(*inputs, is_causal=True, enable_gqa=s["nkv"] != s["nh"])
    return backward(torch, call(), inputs) if gradient else call


def cross_entropy(torch, make, s, gradient):
    x, w = make(s["n"], s["c"]).requires_grad_(gradient), make(s["v"], s["c"]).requires_grad_(gradient)
    targets = torch.arange(s["n"], device=x.device) * 7 % s["v"]
    loss = lambda: torch.nn.functional.cross_entropy(torch.nn.functional.linear(x, w).float(), targets)
    return (lambda: torch.autograd.grad(loss(), (x, w))) if gradient else loss


def gather(torch, make, s):
    table, ids = make(s["v"], s["c"]), torch.arange(s["n"], device=make.device) * 7 % s["v"]
    return lambda: torch.nn.functional.embedding(ids, table)


def scatter(torch, make, s):
    rows, ids = make(s["n"], s["c"]).float(), torch.arange(s["n"], device=make.device) * 7 % s["v"]
    table = torch.zeros(s["v"], s["c"], device=make.device)
    return lambda: table.index_add_(0, ids, rows)


def adamw(torch, make, s):
    weight = make(s["n"], s["c"]).float()
    weight.grad = torch.randn_like(weight)
    optimizer = torch.optim.AdamW([weight.requires_grad_()], lr=1e-5, fused=make.device != "cpu")
    return optimizer.step


def squared_norm(torch, make, s):
    x = make(s["n"], s["c"]).float()
    return lambda: torch.linalg.vector_norm(x)


def two(make, s):
    return make(s["n"], s["c"]), make(s["n"], s["c"])


def add_scaled(torch, make, s):
    x, y = two(make, s)
    return lambda: y.add_(x, alpha=1e-3)


def copy(torch, make, s):
    x, y = two(make, s)
    return lambda: y.copy_(x)


def fill(torch, make, s):
    x = make(s["n"], s["c"])
    return lambda: x.fill_(1)


def column_sums(torch, make, s):
    x = make(s["n"], s["c"])
    return lambda: x.sum(0)


OPERATIONS = {
    "matmul": lambda t, m, s: product(t, m, s, "nt"),
    "matmul_nn": lambda t, m, s: product(t, m, s, "nn"),
    "matmul_tn": lambda t, m, s: product(t, m, s, "tn"),
    "matmul_bias": with_bias,
    "bias_backward": column_sums,
    "rms_norm_forward": lambda t, m, s: norm(t, m, s, "forward"),
    "add_rms_norm_forward": lambda t, m, s: norm(t, m, s, "add"),
    "rms_norm_backward": lambda t, m, s: norm(t, m, s, "backward"),
    "swiglu_forward": lambda t, m, s: swiglu(t, m, s, False),
    "swiglu_backward": lambda t, m, s: swiglu(t, m, s, True),
    "rotary": rotary,
    "attention_forward": lambda t, m, s: attention(t, m, s, False),
    "attention_backward": lambda t, m, s: attention(t, m, s, True),
    "linear_cross_entropy": lambda t, m, s: cross_entropy(t, m, s, True),
    "linear_cross_entropy_losses": lambda t, m, s: cross_entropy(t, m, s, False),
    "gather_rows": gather,
    "scatter_add_rows": scatter,
    "adamw": adamw,
    "add_squared_norm": squared_norm,
    "add_scaled": add_scaled,
    "copy": copy,
    "fill": fill,
}


class Maker:
    """Random tensors of one format on one device."""

    def __init__(self, torch, device, dtype):
        self.torch, self.device, self.dtype = torch, device, getattr(torch, dtype)

    def __call__(self, *shape):
        return self.torch.randn(shape, device=self.device, dtype=self.dtype)


def seconds(torch, device, call):
    """Median time of a call; samples of a call, or of as many as take two milliseconds."""
    def sample(calls):
        if device == "cpu":
            start = time.perf_counter()
            for _ in range(calls):
                call()
            return time.perf_counter() - start
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        for _ in range(calls):
            call()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / 1e3

    sample(2)
    calls = min(1000, max(1, round(2e-3 / max(sample(1), 1e-7))))
    sample(calls)
    return statistics.median(sample(calls) for _ in range(7)) / calls


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", nargs="?", help="what repnoise bench --json wrote")
    parser.add_argument("--covers", action="store_true", help="print the operations that are timed, and end")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=40, help="begin no row after this long (default %(default)s)")
    arguments = parser.parse_args()
    if arguments.covers:
        print("\n".join(OPERATIONS))
        return
    if not arguments.table:
        parser.error("which table? Give the file that `repnoise bench --json FILE` wrote")
    import torch
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.manual_seed(42)
    end = time.monotonic() + arguments.seconds
    with open(arguments.table, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    for row in rows:
        if row.get("op") not in OPERATIONS or time.monotonic() > end:
            continue
        try:
            call = OPERATIONS[row["op"]](torch, Maker(torch, arguments.device, row["dtype"]), row["shape"])
            if call:
                print(json.dumps({"op": row["op"], "shape": row["shape"], "dtype": row["dtype"], "seconds": seconds(torch, arguments.device, call)}), flush=True)
        except (RuntimeError, TypeError, AttributeError) as error:  # an older PyTorch: the other rows go on
            print(f"{row['op']} {row['shape']}: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
