#!/usr/bin/env python3
"""The authors' RepNoise step in PyTorch on the pairs of make_model.py: seconds and peak memory, one JSON object on the last line.

    python3 peer_step.py MODEL [--pairs MODEL/pairs.jsonl] [--dtype float32|bfloat16] [--mode eager|compile] [--steps 10]
                         [--device cuda] [--threads N]

transformers loads the model (scaled-dot-product attention). bfloat16 holds weights, gradients and moments in bf16, as the authors
did. The first step's stability and ascent do not depend on the noise: compare them with another engine's before its times.
"""
import argparse
import json
import pathlib
import statistics
import time

import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM, AutoTokenizer


def masked_mmd(mlp, mask):
    b = mlp.shape[0]
    x = (mlp * mask[..., None]).view(b, -1)
    y = (torch.randn_like(mlp) * mask[..., None]).view(b, -1)
    z = torch.cat([x, y])
    squared = (z[None] - z[:, None]).square().sum(2)
    n = 2 * b
    width = squared.detach().sum() / (n * n - n) / 4
    kernel = sum(torch.exp(-squared / (width * 2**i)) for i in range(5))
    return (kernel[:b, :b] + kernel[b:, b:] - kernel[:b, b:] - kernel[b:, :b]).mean()


def masked_cross_entropy(logits, ids, mask):
    shifted = logits[:, :-1] * mask[:, :-1, None].to(logits.dtype)
    labels = ids[:, 1:] * mask[:, 1:]
    labels = labels.masked_fill(labels == 0, -100)
    return F.cross_entropy(shifted.reshape(-1, shifted.shape[-1]), labels.reshape(-1))


def loss_terms(model, harmful, harmless, mlps):
    mask = harmful != harmless
    mlps.clear()
    outputs = model(harmful, output_hidden_states=True)
    harmful_mlps = list(mlps)
    noise = sum(masked_mmd(mlp, mask.to(mlp.dtype)) for mlp in harmful_mlps) / len(harmful_mlps)
    ascent = masked_cross_entropy(outputs.logits, harmful, mask)
    for hidden in outputs.hidden_states:
        ascent = ascent + masked_cross_entropy(model.lm_head(model.model.norm(hidden)), harmful, mask)
    ascent = ascent / len(outputs.hidden_states) + 1
    mlps.clear()
    stability = masked_cross_entropy(model(harmless).logits, harmless, mask)
    return stability, noise, ascent


def read_pairs(path, tokenizer, length, device):
    rows = [json.loads(line) for line in open(path, encoding="utf-8")]
    encode = lambda side: torch.tensor([tokenizer(row["prompt"] + row[side])["input_ids"][:length] for row in rows], device=device)
    return encode("harmful"), encode("harmless")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--pairs", type=pathlib.Path)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--mode", choices=["eager", "compile"], default="eager")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tf32", action="store_true", help="let float32 products use TF32")
    parser.add_argument("--threads", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.backends.cuda.matmul.allow_tf32 = arguments.tf32
    torch.manual_seed(42)
    on_gpu = arguments.device.startswith("cuda")
    dtype = getattr(torch, arguments.dtype)
    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=dtype).to(arguments.device)
    model.train()
    model.config.use_cache = False
    mlps = []
    for layer in model.model.layers:
        layer.mlp.register_forward_hook(lambda _module, _inputs, output: mlps.append(output))
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    harmful, harmless = read_pairs(arguments.pairs or arguments.model / "pairs.jsonl", tokenizer, arguments.length, arguments.device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, weight_decay=0, **({"fused": True} if on_gpu else {}))
    terms_of = torch.compile(loss_terms) if arguments.mode == "compile" else loss_terms
    wait = torch.cuda.synchronize if on_gpu else lambda: None
    seconds, first = [], None
    for step in range(arguments.steps + 3):
        wait()
        start = time.perf_counter()
        stability, noise, ascent = terms_of(model, harmful, harmless, mlps)
        (stability + 0.001 * noise - torch.log(ascent)).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        values = [term.item() for term in (stability, noise, ascent)]
        wait()
        if step >= 3:
            seconds.append(time.perf_counter() - start)
        first = first or values
    print(json.dumps({
        "part": "step", "side": f"pytorch-{arguments.mode}" + ("-tf32" if arguments.tf32 else ""), "model": arguments.model.name,
        "dtype": arguments.dtype, "device": torch.cuda.get_device_name() if on_gpu else "cpu", "torch": torch.__version__,
        "pairs": len(harmful), "length": harmful.shape[1], "seconds": statistics.median(seconds), "fastest": min(seconds),
        "peak_bytes": torch.cuda.max_memory_allocated() if on_gpu else None,
        "stability": first[0], "noise": first[1], "ascent": first[2]}))


main()
