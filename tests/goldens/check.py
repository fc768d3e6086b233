#!/usr/bin/env python3
"""Independent check of the golden models: own safetensors reader, own decoder, own losses (torch only for
tensors + autograd).  python3 check.py [REF] ; modes: hf = f64 with HF's internal f32 casts (RMSNorm statistics,
softmax, rope cos/sin), f64 = everything in float64, f32 = everything in float32."""
import json, math, struct, sys, time
from pathlib import Path
import numpy as np, torch
import torch.nn.functional as F
REF = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
torch.set_num_threads(2)
NP = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "I64": np.int64}

def st(path):
    raw = path.read_bytes(); n = struct.unpack("<Q", raw[:8])[0]; out = {}
    head = json.loads(raw[8:8 + n]); head.pop("__metadata__", None); seen = 0
    for k, h in head.items():
        a, b = h["data_offsets"]; buf = raw[8 + n + a:8 + n + b]; seen += b - a
        if h["dtype"] == "BF16":
            x = (np.frombuffer(buf, np.uint16).astype(np.uint32) << 16).view(np.float32)
        else:
            x = np.frombuffer(buf, NP[h["dtype"]])
        out[k] = torch.from_numpy(x.copy().reshape(h["shape"]))
    assert seen == len(raw) - 8 - n, path
    return out

class Model:
    def __init__(s, folder, mode):
        s.c = c = json.loads((folder / "config.json").read_text()); s.mode = mode
        s.dt = torch.float32 if mode == "f32" else torch.float64
        s.w = {}
        for f in sorted(folder.glob("model*.safetensors")): s.w.update(st(f))
        s.w = {k: v.to(s.dt).requires_grad_() for k, v in s.w.items()}
        s.L, s.H, s.K = c["num_hidden_layers"], c["num_attention_heads"], c["num_key_value_heads"]
        s.hd = c.get("head_dim") or c["hidden_size"] // s.H
        s.window = c.get("sliding_window") if c["model_type"] == "mistral" or c.get("use_sliding_window") else None
        r = c.get("rope_parameters") or dict(c.get("rope_scaling") or {"rope_type": "default"}, rope_theta=c["rope_theta"])
        rd = torch.float32 if mode in ("hf", "f32") else torch.float64   # HF: inv_freq and angles are float32 always
        inv = 1.0 / r["rope_theta"] ** (torch.arange(0, s.hd, 2).to(rd) / s.hd)
        if r["rope_type"] == "llama3":
            n, lo, hi, fac = r["original_max_position_embeddings"], r["low_freq_factor"], r["high_freq_factor"], r["factor"]
            wl = 2 * math.pi / inv; sm = (n / wl - lo) / (hi - lo)
            inv = torch.where(wl > n / lo, inv / fac, torch.where(wl < n / hi, inv, (1 - sm) / fac * inv + sm * inv))
        s.inv = inv

    def norm(s, x, w):
        if s.mode == "hf":
            y = x.float(); return w * (y * torch.rsqrt(y.square().mean(-1, keepdim=True) + s.c["rms_norm_eps"])).to(s.dt)
        return w * (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + s.c["rms_norm_eps"]))

    def lin(s, x, name):
        b = s.w.get(name + ".bias"); y = x @ s.w[name + ".weight"].T
        return y if b is None else y + b

    def head(s, x):
        return x @ s.w["model.embed_tokens.weight" if s.c["tie_word_embeddings"] else "lm_head.weight"].T

    def fwd(s, ids, attn):
        """-> logits, hidden_states (last one normed), mlp outputs"""
        w, (B, T) = s.w, ids.shape
        ang = torch.arange(T).to(s.inv.dtype)[:, None] * s.inv; ang = torch.cat([ang, ang], -1)
        cos, sin = ang.cos().to(s.dt), ang.sin().to(s.dt)
        i, j = torch.arange(T)[:, None], torch.arange(T)
        ok = (j <= i) & ((i - j < s.window) if s.window else (j >= 0))
        ok = ok[None, None] & (attn != 0)[:, None, None]
        assert ok.any(-1).all(), "a query row sees no key"
        bias = torch.zeros(ok.shape, dtype=s.dt).masked_fill(~ok, torch.finfo(s.dt).min)
        rot = lambda x: x * cos + torch.cat([-x[..., s.hd // 2:], x[..., :s.hd // 2]], -1) * sin
        x = w["model.embed_tokens.weight"][ids]; hs, mlp = [x], []
        for l in range(s.L):
            p = f"model.layers.{l}."; a = s.norm(x, w[p + "input_layernorm.weight"])
            q, k, v = (s.lin(a, p + f"self_attn.{n}_proj").view(B, T, -1, s.hd) for n in "qkv")
            if p + "self_attn.q_norm.weight" in w:
                q, k = s.norm(q, w[p + "self_attn.q_norm.weight"]), s.norm(k, w[p + "self_attn.k_norm.weight"])
            q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
            q, k = rot(q), rot(k); g = s.H // s.K
            k, v = k.repeat_interleave(g, 1), v.repeat_interleave(g, 1)
            sc = q @ k.transpose(2, 3) * s.hd ** -0.5 + bias
            pr = torch.softmax(sc.float(), -1).to(s.dt) if s.mode == "hf" else torch.softmax(sc, -1)
            x = x + s.lin((pr @ v).transpose(1, 2).reshape(B, T, -1), p + "self_attn.o_proj")
            a = s.norm(x, w[p + "post_attention_layernorm.weight"])
            m = s.lin(F.silu(s.lin(a, p + "mlp.gate_proj")) * s.lin(a, p + "mlp.up_proj"), p + "mlp.down_proj")
            mlp.append(m); x = x + m; hs.append(x)
        hs[-1] = s.norm(x, w["model.norm.weight"])
        return s.head(hs[-1]), hs, mlp

def nll(logits, y):      # sum over y>=0 / count, y<0 ignored
    lp = logits - torch.logsumexp(logits, -1, keepdim=True); k = y >= 0
    return -(lp.gather(-1, y.clamp(min=0)[..., None])[..., 0] * k).sum() / k.sum()

def mce(logits, ids, mask):
    z = logits[:, :-1] * mask[:, :-1, None].to(logits.dtype)
    y = ids[:, 1:] * mask[:, 1:].to(ids.dtype)
    return nll(z, torch.where(y == 0, torch.full_like(y, -1), y))

def mmd(x, y):
    z = torch.cat([x, y]); n = len(z); b = len(x)
    d = torch.stack([torch.stack([((p - q) ** 2).sum() for q in z]) for p in z])
    bw = d.detach().sum() / (n * n - n) / 4
    k = sum(torch.exp(-d / (bw * 2 ** i)) for i in range(5))
    return (k[:b, :b] + k[b:, b:] - k[:b, b:] - k[b:, :b]).mean()

def repnoise(m, v, alpha=1.0, beta=0.001):
    mask = v["harmful_ids"] != v["harmless_ids"]; mf = mask[..., None].to(m.dt)
    lg, hs, mlp = m.fwd(v["harmful_ids"], v["harmful_attn"])
    noise = sum(mmd((mlp[l] * mf).flatten(1), (v[f"noise.{l}"].to(m.dt) * mf).flatten(1)) for l in range(m.L)) / m.L
    stab = mce(m.fwd(v["harmless_ids"], v["harmless_attn"])[0], v["harmless_ids"], mask)
    asc = mce(lg, v["harmful_ids"], mask)
    for h in hs: asc = asc + mce(m.head(m.norm(h, m.w["model.norm.weight"])), v["harmful_ids"], mask)
    asc = asc / len(hs) + 1
    return dict(stability=stab, noise=noise, ascent=asc, total=stab + beta * noise - alpha * asc.log())

def grads(m, loss):
    g = torch.autograd.grad(loss, list(m.w.values()), allow_unused=True, retain_graph=True)
    return {k: (torch.zeros_like(p) if x is None else x) for (k, p), x in zip(m.w.items(), g)}

def greedy(m, prompt, n):
    ids = prompt.clone(); gap = 1e9
    with torch.no_grad():
        for _ in range(n):
            z = m.fwd(ids, torch.ones_like(ids))[0][:, -1]; top = z.topk(2).values
            gap = min(gap, float((top[:, 0] - top[:, 1]).min())); ids = torch.cat([ids, z.argmax(-1, keepdim=True)], 1)
    return ids, gap

def compute(folder, v, mode):
    m = Model(folder, mode); o = {}
    lg, hs, _ = m.fwd(v["harmless_ids"], v["harmless_attn"])
    o["logits"] = lg; o.update({f"hidden.{l}": h for l, h in enumerate(hs)})
    y = v["harmless_ids"].masked_fill(v["harmless_attn"] == 0, -1)[:, 1:]
    o["ce.loss"] = nll(lg[:, :-1], y); o.update({"ce.grad." + k: g for k, g in grads(m, o["ce.loss"]).items()})
    r = repnoise(m, v); o.update({"repnoise." + k: t for k, t in r.items()})
    gt = grads(m, r["total"]); o.update({"repnoise.grad." + k: g for k, g in gt.items()})
    nrm = lambda g: float(sum((t.double() ** 2).sum() for t in g.values())) ** 0.5
    cond = dict(total=nrm(gt), noise=nrm(grads(m, 0.001 * r["noise"])), stab=nrm(grads(m, r["stability"])), asc=nrm(grads(m, -r["ascent"].log())))
    o["greedy_ids"], gap = greedy(m, v["greedy_prompt"], 16)
    mo = {k: [torch.zeros_like(p), torch.zeros_like(p)] for k, p in m.w.items()}; ls = []; step1 = {}
    for t in (1, 2, 3):                                # AdamW by hand
        total = repnoise(m, v)["total"]; ls.append(total.detach()); g = grads(m, total)
        with torch.no_grad():
            for k, p in m.w.items():
                a, b = mo[k]; a.mul_(.9).add_(g[k] * .1); b.mul_(.999).add_(g[k] ** 2 * .001)
                p.sub_(1e-3 / (1 - .9 ** t) * a / ((b / (1 - .999 ** t)).sqrt() + 1e-8))
    o["adamw.loss"] = torch.stack(ls); o.update({"adamw.param." + k: p for k, p in m.w.items()})
    return {k: t.detach() for k, t in o.items()}, cond, gap, m

def kind(k):
    for p in ("ce.grad.", "repnoise.grad.", "adamw.param.", "hidden."):
        if k.startswith(p): return p[:-1]
    return k

def rel(a, b):
    a, b = a.double(), b.double(); n = float(b.norm()); e = float((a - b).norm()); return e / n if n else e

if __name__ == "__main__":
    table = {}
    for f in sorted(REF.iterdir()):
        v = st(f / "values.safetensors"); t0 = time.time()
        w0 = Model(f, "f64").w
        for mode in ("hf", "f64", "f32"):
            o, cond, gap, m = compute(f, v, mode); R = {}
            ins = {k for k in v if k.startswith("noise.") or k.endswith(("_ids", "_attn", "_prompt"))} - {"greedy_ids"}
            assert set(o) == set(v) - ins, set(o) ^ (set(v) - ins)
            for k, t in o.items():
                assert t.shape == v[k].shape, k
                if k == "greedy_ids": R[k] = (0.0 if torch.equal(t, v[k]) else 1.0, k); continue
                b = v[k]
                # values per parameter are stored rounded to f32: round ours likewise in f64 modes
                e = rel(t.float() if kind(k) in ("ce.grad", "repnoise.grad", "adamw.param") else t, b)
                R[kind(k)] = max(R.get(kind(k), (0, "")), (e, k))
                if kind(k) in ("hidden", "logits"):
                    for nm, sel in (("real", v["harmless_attn"] == 1), ("pad", v["harmless_attn"] == 0)):
                        R[kind(k) + "@" + nm] = max(R.get(kind(k) + "@" + nm, (0, "")), (rel(t[sel], b[sel]), k))
                if kind(k) == "adamw.param":           # error of the update, and the largest single element (in lr)
                    n = k[12:]; u = b.double() - w0[n].detach(); d = t.double() - b.double()
                    R["adamw.update"] = max(R.get("adamw.update", (0, "")), (float(d.norm() / u.norm()), k))
                    R["adamw.maxabs/lr"] = max(R.get("adamw.maxabs/lr", (0, "")), (float(d.abs().max()) / 1e-3, k))
                if kind(k).endswith(".grad"):
                    R[kind(k) + ".maxelem/max|b|"] = max(R.get(kind(k) + ".maxelem/max|b|", (0, "")), (float((t.double() - b.double()).abs().max() / b.double().abs().max()), k))
            table[f.name, mode] = R
            print(f"== {f.name} [{mode}] {time.time()-t0:.1f}s  greedy min top-2 gap {gap:.4f}  grad norms {({k: round(x, 6) for k, x in cond.items()})} noise/total {cond['noise']/cond['total']:.3e}")
            for k, (e, n) in R.items(): print(f"   {k:32s} {e:.3e}   {n}")
            sys.stdout.flush()
    for mode in ("hf", "f64", "f32"):
        print("\nmode", mode); names = [n for n, md in table if md == mode]
        print("%-30s" % "kind", *("%-11s" % n for n in names), "max")
        for k in table[names[0], mode]:
            r = [table[n, mode][k][0] for n in names]; print("%-30s" % k, *("%-11.2e" % x for x in r), "%.2e" % max(r))
