#!/usr/bin/env python3
"""Computes with PyTorch, in float64, what `repnoise verify` compares: for any Hugging Face folder of a supported decoder.

    python3 make_values.py MODEL OUT [--pairs 4] [--length 24] [--seed 7] [--parameters all|none|REGEX]

Needs torch, transformers and safetensors. OUT is a file; `repnoise verify MODEL --values OUT` reads it. Memory: about 40 bytes a
weight (float64 weights, gradients and two Adam moments); the file takes 4 bytes a weight for each of seven kinds of per-parameter
values, which --parameters limits to the names that match (losses, logits and hidden states are always written).

  harmful_ids, harmless_ids, harmful_attn, harmless_attn  int64 [B,T]  a shared prompt, two answers, padded right
  noise.<l>               f64 [B,T,D]  the Gaussian draw of each layer
  logits, hidden.<l>      f64          forward pass over harmless_ids; the last hidden state is after the final norm
  ce.loss, ce.grad.<p>                 mean next-token cross-entropy over real targets of harmless_ids
  repnoise.{stability,noise,ascent,total}, repnoise.grad.<p>   the published loss, alpha 1, beta 0.001
  mmd.<l>, {noise,ascent,stability}.grad.<p>                   each term alone, unscaled
  combo.total, combo.grad.<p>          total with alpha 0.5, beta 4
  greedy_prompt, greedy_ids            greedy continuation by 16 tokens
  adamw.loss [3], adamw.param.<p>      three AdamW steps (lr 1e-3, no decay) on the same batch and noise
"""
import argparse
import re

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM


def mmd(x, y):
    """Biased squared MMD under five Gaussian kernels; the mean pairwise squared distance sets the bandwidth, without gradient."""
    z = torch.cat([x, y])
    n, b = len(z), len(x)
    d2 = torch.stack([(z - row).square().sum(-1) for row in z])
    width = d2.detach().sum() / (n * n - n) / 4
    k = sum(torch.exp(-d2 / (width * 2**i)) for i in range(5))
    return (k[:b, :b] + k[b:, b:] - k[:b, b:] - k[b:, :b]).mean()


def masked_cross_entropy(logits, ids, mask):
    """A target counts if its own mask is 1 and its id is not 0; where the position's mask is 0 its logits count as zeros."""
    shifted = logits[:, :-1] * mask[:, :-1, None].to(logits.dtype)
    labels = (ids[:, 1:] * mask[:, 1:]).clone()
    labels[labels == 0] = -100
    return torch.nn.functional.cross_entropy(shifted.flatten(0, 1), labels.flatten(), ignore_index=-100)


def loss_terms(model, v, noise):
    outputs = {}
    hooks = [layer.mlp.register_forward_hook(lambda _module, _inputs, out, l=l: outputs.__setitem__(l, out))
             for l, layer in enumerate(model.model.layers)]
    harmful = model(v["harmful_ids"], attention_mask=v["harmful_attn"], output_hidden_states=True)
    for hook in hooks:
        hook.remove()
    mask = v["harmful_ids"] != v["harmless_ids"]
    select = lambda t: (t * mask[..., None]).flatten(1)
    per_layer = [mmd(select(outputs[l]), select(noise[l])) for l in range(len(outputs))]
    harmless = model(v["harmless_ids"], attention_mask=v["harmless_attn"])
    ascent = masked_cross_entropy(harmful.logits, v["harmful_ids"], mask)
    for hidden in harmful.hidden_states:
        ascent = ascent + masked_cross_entropy(model.lm_head(model.model.norm(hidden)), v["harmful_ids"], mask)
    return dict(stability=masked_cross_entropy(harmless.logits, v["harmless_ids"], mask), noise=sum(per_layer) / len(per_layer),
                ascent=ascent / len(harmful.hidden_states) + 1, mmd=per_layer)


def total(terms, alpha, beta):
    return terms["stability"] + beta * terms["noise"] - alpha * torch.log(terms["ascent"])


def make_batch(vocabulary, pairs, length, generator):
    """Prompts of growing length, answers that agree on one token by chance, and pads that face text on both sides."""
    ids = torch.randint(3, vocabulary, (2, pairs, length), generator=generator)
    attention = torch.ones(2, pairs, length, dtype=torch.int64)
    for b in range(pairs):
        prompt = 4 + (2 * b) % max(1, length // 3)
        ids[1, b, :prompt] = ids[0, b, :prompt]
        ids[1, b, prompt + 3] = ids[0, b, prompt + 3]
        for side in range(2):
            end = length - ((3 * b + 2 * side) % 7)
            ids[side, b, end:] = 0
            attention[side, b, end:] = 0
    return dict(harmful_ids=ids[0].clone(), harmless_ids=ids[1].clone(), harmful_attn=attention[0].clone(), harmless_attn=attention[1].clone())


def gradients(model, prefix, loss, wanted):
    model.zero_grad(set_to_none=True)
    loss.backward(retain_graph=True)
    return {f"{prefix}.grad.{n}": (torch.zeros_like(p) if p.grad is None else p.grad).float()
            for n, p in model.named_parameters() if wanted(n)}


def adamw_steps(model, v, noise, wanted):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = total(loss_terms(model, v, noise), 1.0, 0.001)
        losses.append(loss.detach())
        loss.backward()
        optimizer.step()
    return {"adamw.loss": torch.stack(losses), **{f"adamw.param.{n}": p.detach().float() for n, p in model.named_parameters() if wanted(n)}}


def compute(model, v, noise, wanted):
    out = model(v["harmless_ids"], attention_mask=v["harmless_attn"], output_hidden_states=True)
    values = {"logits": out.logits} | {f"hidden.{l}": h for l, h in enumerate(out.hidden_states)}
    labels = v["harmless_ids"].masked_fill(v["harmless_attn"] == 0, -100)
    values["ce.loss"] = torch.nn.functional.cross_entropy(out.logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
    values |= gradients(model, "ce", values["ce.loss"], wanted)
    terms = loss_terms(model, v, noise)
    combined = dict(repnoise=total(terms, 1.0, 0.001), combo=total(terms, 0.5, 4.0))
    values |= {f"repnoise.{k}": terms[k] for k in ("stability", "noise", "ascent")} | {f"{k}.total": t for k, t in combined.items()}
    values |= {f"mmd.{l}": t for l, t in enumerate(terms["mmd"])}
    for name in ("stability", "noise", "ascent"):
        values |= gradients(model, name, terms[name], wanted)
    for name, loss in combined.items():
        values |= gradients(model, name, loss, wanted)
    return values


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("out")
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--length", type=int, default=24)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--parameters", default="all", help="all, none, or a regular expression of parameter names")
    args = parser.parse_args()
    wanted = dict(all=lambda _: True, none=lambda _: False).get(args.parameters) or re.compile(args.parameters).search
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float64, attn_implementation="eager").eval()
    g = torch.Generator().manual_seed(args.seed)
    v = make_batch(model.config.vocab_size, args.pairs, args.length, g)
    shape = (args.pairs, args.length, model.config.hidden_size)
    noise = [torch.randn(*shape, generator=g, dtype=torch.float64) for _ in range(model.config.num_hidden_layers)]
    values = v | {f"noise.{l}": n for l, n in enumerate(noise)} | compute(model, v, noise, wanted)
    prompt = torch.randint(3, model.config.vocab_size, (2, 6), generator=g)
    values["greedy_prompt"] = prompt
    values["greedy_ids"] = model.generate(prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=16,
                                          min_new_tokens=16, pad_token_id=0, eos_token_id=None)
    values |= adamw_steps(model, v, noise, wanted)
    save_file({k: t.detach().contiguous() for k, t in values.items()}, args.out)
    print(f"{len(values)} tensors in {args.out}; repnoise.total {float(values['repnoise.total']):.9f}")


if __name__ == "__main__":
    main()
