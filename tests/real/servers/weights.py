"""Weights for llama.cpp, made on the spot: two layers of random numbers over a vocabulary of bytes.

What such a model says is gibberish, but the same gibberish at every run at temperature 0, and a server can't tell it from a real model.
The candidate has the same weights moved a little: it agrees for a while and then says something else.
"""

import numpy as np
from gguf import GGUFWriter, TokenType

LAYERS, WIDTH, HEADS, HIDDEN, CONTEXT = 2, 64, 4, 128, 1024
SPREAD = 0.3
TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"
VISIBLE = [chr(code) for code in range(33, 127)] + ["é", "ß", "日", "本", "🙂"]


def vocabulary():
    """Tokens with their types: the special ones, every byte, and a few characters as a whole."""
    tokens = [(b"<unk>", TokenType.UNKNOWN), (b"<s>", TokenType.CONTROL), (b"</s>", TokenType.CONTROL)]
    tokens += [(f"<0x{byte:02X}>".encode(), TokenType.BYTE) for byte in range(256)]
    # A tokenizer of the kind "llama" writes a space as this character.
    return tokens + [(text.encode(), TokenType.NORMAL) for text in ["\u2581", *VISIBLE]]


def write(path, seed=0, change=0.0):
    """Writes a model; `change` is the standard deviation of what is added to its weights, as a part of theirs."""
    random, other = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    tokens = vocabulary()
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([text for text, _ in tokens])
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types([kind for _, kind in tokens])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(TEMPLATE)

    def tensor(name, *shape, mask=1):
        values = mask * (random.normal(0, SPREAD, shape) + change * other.normal(0, SPREAD, shape))
        writer.add_tensor(name + ".weight", values.astype(np.float32))

    def ones(name):
        writer.add_tensor(name + ".weight", np.ones(WIDTH, np.float32))

    tensor("token_embd", len(tokens), WIDTH)
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        ones(block + "attn_norm")
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            tensor(block + part, WIDTH, WIDTH)
        ones(block + "ffn_norm")
        tensor(block + "ffn_gate", HIDDEN, WIDTH)
        tensor(block + "ffn_up", HIDDEN, WIDTH)
        tensor(block + "ffn_down", WIDTH, HIDDEN)
    ones("output_norm")
    # Logits of 0 for all but whole characters and the end, so that what it says is text.
    said = [kind == TokenType.NORMAL or text == b"</s>" for text, kind in tokens]
    tensor("output", len(tokens), WIDTH, mask=np.array(said).reshape(-1, 1))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
