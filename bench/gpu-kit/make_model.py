#!/usr/bin/env python3
"""Writes a Llama with random weights, a byte tokenizer and pairs of exact lengths: what the step benchmark trains.

    python3 make_model.py OUT [--preset a|b|1b] [--dtype float32|bfloat16] [--pairs 8] [--length 256]

Every character is one token, so that a prompt of length/2 - 1 characters and two answers of length/2 fill the sequence (with the
BOS); the answers' alphabets share no letter, hence they differ at every position. Needs numpy only.
"""
import argparse
import json
import pathlib
import struct

import numpy as np

# vocabulary, hidden, feed-forward, layers, heads, key/value heads. a and b as in bench/Step.Bench; 1b is TinyLlama's shape.
PRESETS = {"a": (32000, 256, 688, 4, 8, 8), "b": (4096, 512, 1376, 8, 8, 8), "1b": (32000, 2048, 5632, 22, 32, 4)}


def tensors(vocab, hidden, feed, layers, heads, kv_heads):
    """(name, shape) of every weight."""
    head = hidden // heads
    yield "model.embed_tokens.weight", (vocab, hidden)
    for i in range(layers):
        layer = f"model.layers.{i}."
        yield layer + "input_layernorm.weight", (hidden,)
        yield layer + "self_attn.q_proj.weight", (heads * head, hidden)
        yield layer + "self_attn.k_proj.weight", (kv_heads * head, hidden)
        yield layer + "self_attn.v_proj.weight", (kv_heads * head, hidden)
        yield layer + "self_attn.o_proj.weight", (hidden, heads * head)
        yield layer + "post_attention_layernorm.weight", (hidden,)
        yield layer + "mlp.gate_proj.weight", (feed, hidden)
        yield layer + "mlp.up_proj.weight", (feed, hidden)
        yield layer + "mlp.down_proj.weight", (hidden, feed)
    yield "model.norm.weight", (hidden,)
    yield "lm_head.weight", (vocab, hidden)


def write_weights(path, shapes, dtype):
    """One safetensors file, tensor by tensor: a 1 B model never stands in memory whole."""
    size = {"float32": 4, "bfloat16": 2}[dtype]
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in shapes:
        end = offset + size * int(np.prod(shape))
        header[name] = {"dtype": {"float32": "F32", "bfloat16": "BF16"}[dtype], "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    random = np.random.default_rng(42)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, shape in shapes:
            values = np.ones(shape, np.float32) if len(shape) == 1 else random.standard_normal(shape, np.float32) * np.float32(0.02)
            file.write((values if dtype == "float32" else (values.view(np.uint32) >> 16).astype(np.uint16)).tobytes())


def byte_characters():
    """GPT-2's printable stand-in for every byte."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in kept]
    return {**{b: chr(b) for b in kept}, **{b: chr(256 + i) for i, b in enumerate(others)}}


def write_tokenizer(folder):
    characters = byte_characters()
    vocabulary = {"<pad>": 0, "<s>": 1, "</s>": 2, **{characters[b]: 3 + b for b in range(256)}}
    special = [{"id": i, "content": text, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
               for text, i in list(vocabulary.items())[:3]]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    begin = {"SpecialToken": {"id": "<s>", "type_id": 0}}
    first, second = {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": special, "normalizer": None,
        "pre_tokenizer": byte_level, "decoder": byte_level,
        "post_processor": {"type": "TemplateProcessing", "single": [begin, first], "pair": [begin, first, second],
                           "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "ignore_merges": False, "vocab": vocabulary, "merges": []}}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--preset", choices=PRESETS, default="a")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--length", type=int, default=256)
    arguments = parser.parse_args()
    vocab, hidden, feed, layers, heads, kv_heads = PRESETS[arguments.preset]
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_weights(arguments.out / "model.safetensors", list(tensors(*PRESETS[arguments.preset])), arguments.dtype)
    write_tokenizer(arguments.out)
    (arguments.out / "config.json").write_text(json.dumps({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": vocab, "hidden_size": hidden,
        "intermediate_size": feed, "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": kv_heads,
        "head_dim": hidden // heads, "hidden_act": "silu", "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
        "tie_word_embeddings": False, "attention_bias": False, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
        "torch_dtype": arguments.dtype}, indent=2))
    random = np.random.default_rng(7)
    text = lambda letters, count: "".join(random.choice(list(letters), count))
    half = arguments.length // 2
    with open(arguments.out / "pairs.jsonl", "w", encoding="utf-8") as file:
        for _ in range(arguments.pairs):
            row = {"prompt": text("0123456789", half - 1), "harmful": text("abcdefghijklm", half), "harmless": text("nopqrstuvwxyz", half)}
            file.write(json.dumps(row) + "\n")


main()
