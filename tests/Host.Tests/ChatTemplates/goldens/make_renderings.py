#!/usr/bin/env python3
"""Renderings of the templates beside this file by jinja2 3.1.6, in transformers' environment:
python3 make_renderings.py > renderings.json

The templates are those that the models' tokenizer_config.json files publish: Llama-2-7b-chat-hf, Meta-Llama-3-8B-Instruct,
Mistral-7B-Instruct-v0.1, Qwen2.5-7B-Instruct, Qwen3-8B; features.jinja is our own and uses the rest of what is supported."""
import json
from pathlib import Path
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

HERE = Path(__file__).resolve().parent


def raise_exception(message):
    raise ValueError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
env.filters["tojson"] = tojson
env.globals["raise_exception"] = raise_exception

TURN = lambda role, content: {"role": role, "content": content}
CONVERSATIONS = {
    "question": ([TURN("user", "How is bread made?")], True),
    "answered": ([TURN("user", "  How is bread made?\n"), TURN("assistant", "With flour,\nwater & \"yeast\". ")], False),
    "system": ([TURN("system", "Be brief."), TURN("user", "é 漢 😀"), TURN("assistant", "<think>\nhm\n</think>\n\nOk.")], False),
    "long": ([TURN("system", " S "), TURN("user", "a"), TURN("assistant", "b"), TURN("user", "c"), TURN("assistant", "d"), TURN("user", "e")], True),
    "wrong order": ([TURN("assistant", "a"), TURN("user", "b")], False),
    "empty": ([TURN("user", ""), TURN("assistant", "")], False),
}

out = {}
for path in sorted(HERE.glob("*.jinja")):
    template = env.from_string(path.read_text())
    for name, (messages, prompt) in CONVERSATIONS.items():
        try:
            text = template.render(messages=messages, add_generation_prompt=prompt, bos_token="<s>", eos_token="</s>")
        except ValueError as error:
            text = None
        out.setdefault(path.stem, {})[name] = dict(messages=messages, add_generation_prompt=prompt, text=text)
print(json.dumps(out, indent=1))
