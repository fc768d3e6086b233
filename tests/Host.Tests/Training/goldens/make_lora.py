#!/usr/bin/env python3
"""Golden values of three AdamW steps of low-rank adapters, float64: python3 make_lora.py > lora.json   (numpy, torch 1.13)

The decoder is that of tests/goldens/check.py; autograd gives the gradients, AdamW is written out. Adapters of rank 2, alpha 3 on
q_proj, v_proj and down_proj of the golden model qwen2; element i of A begins as sin(i + 1) / sqrt(inputs), B as zero."""
import json, sys
from pathlib import Path
GOLDENS = Path(__file__).resolve().parents[3] / "goldens"
sys.path.insert(0, str(GOLDENS))
sys.argv = sys.argv[:1]
import torch
from check import Model, nll

RANK, ALPHA, LR, DECAY = 2, 3.0, 1e-2, 0.1
IDS = torch.tensor([[3, 17, 5, 9, 30, 2, 21, 8, 11]])

model = Model(GOLDENS / "qwen2", "f64")
base = {k: v.detach() for k, v in model.w.items()}
names = [k[:-7] for k in base if k.endswith(("q_proj.weight", "v_proj.weight", "down_proj.weight"))]
p = {}
for n in names:
    rows, columns = base[n + ".weight"].shape
    i = torch.arange(RANK * columns, dtype=torch.float64).reshape(RANK, columns)
    p[n + ".lora_A.weight"] = (torch.sin(i + 1) / columns ** 0.5).requires_grad_()
    p[n + ".lora_B.weight"] = torch.zeros(rows, RANK, dtype=torch.float64, requires_grad=True)

moments = {k: (torch.zeros_like(v), torch.zeros_like(v)) for k, v in p.items()}
losses = []
for t in (1, 2, 3):
    model.w = dict(base)
    for n in names:
        model.w[n + ".weight"] = base[n + ".weight"] + ALPHA / RANK * p[n + ".lora_B.weight"] @ p[n + ".lora_A.weight"]
    loss = nll(model.fwd(IDS, torch.ones_like(IDS))[0][:, :-1], IDS[:, 1:])
    losses.append(float(loss))
    for (k, v), g in zip(p.items(), torch.autograd.grad(loss, list(p.values()))):
        m, s = moments[k]
        with torch.no_grad():
            v.mul_(1 - LR * DECAY)
            m.mul_(0.9).add_(0.1 * g)
            s.mul_(0.999).add_(0.001 * g * g)
            v.sub_(LR * (m / (1 - 0.9 ** t)) / ((s / (1 - 0.999 ** t)).sqrt() + 1e-8))

weights = {k: dict(norm=float(v.norm()), first=float(v[0, 0]), last=float(v[-1, -1])) for k, v in p.items()}
print(json.dumps(dict(losses=losses, weights=weights), indent=1))
