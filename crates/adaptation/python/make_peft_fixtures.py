"""Adapters that the real PEFT writes, with the logits of PEFT on transformers' models: what importing them must give.

    make_peft_fixtures.py                            writes crates/adaptation/tests/fixtures/peft
    make_peft_fixtures.py OUTPUT --seed 2 --whole    others, with the frozen embeddings that PEFT adds (just check-peft)

A case is a directory of what save_pretrained writes, with random factors, and check.json (peft_models.py explains it), which also
has "losses": of STEPS steps of AdamW that PyTorch goes on training the adapter with, in float64, on "labels" (squared errors) or
"texts". A case with ensure_weight_tying has none: PEFT trains the two uses as two parameters that lie in one memory. Nor has a case
of ONE_DELTA: the uses of T5's embedding have equal factors, which PEFT trains apart.
"""

import argparse
import json
import os
import pathlib
import shutil
import warnings

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers.utils import logging

from make_decoder_fixtures import END, exact, write_json
from make_t5_fixtures import END as T5_END, START, T5LayerNorm, norm
from peft_models import load_base, logits, token_logits

FIXTURES = pathlib.Path(__file__).parent.parent / "tests" / "fixtures"
STEPS, STEP_SIZE = 5, 1e-2
EVERY = 5
"""So many entries of the vocabulary are one in a fixture."""

BERT, MPNET, LLAMA, T5, T5_GATED = "tiny-bert", "tiny-mpnet", "tiny-llama", "tiny-t5", "tiny-t5-gated"
CLASSIFIER, CAUSAL, PAIRS = "AutoModelForSequenceClassification", "AutoModelForCausalLM", "AutoModelForSeq2SeqLM"
VOCABULARY = {LLAMA: (288, END), T5: (128, T5_END), T5_GATED: (128, T5_END)}
"""Its size, and the token that ends a text."""

# Name: model, class, other keys of check.json, LoraConfig, and the number type of the file.
CASES = {
    # The first pattern that matches counts.
    "bert-patterns": (BERT, "AutoModel", {"pooling": "mean"}, {
        "r": 3, "lora_alpha": 5, "target_modules": ["query", "value", "attention.output.dense"],
        "rank_pattern": {"self.query": 2, "layer.1.attention.self.query": 4, "value": 5},
        "alpha_pattern": {r"layer\.[1-9]\.attention\.self\.value": 3, "value": 7}}, torch.float32),
    "bert-regex-rslora": (BERT, "AutoModel", {"pooling": "mean"}, {
        "r": 3, "lora_alpha": 4, "use_rslora": True, "target_modules": r"(?!.*layer\.0).*\.(intermediate|output)\.dense",
        "rank_pattern": {"intermediate.dense": 2}}, torch.float32),
    "bert-embeddings": (BERT, "AutoModel", {"pooling": "pooler"}, {
        "r": 2, "lora_alpha": 3, "target_modules": ["word_embeddings", "position_embeddings", "pooler.dense"],
        "rank_pattern": {"position_embeddings": 3}}, torch.float32),
    "bert-classifier-bf16": (BERT, CLASSIFIER, {"pooling": "pooler"}, {
        "r": 2, "lora_alpha": 8, "target_modules": ["query", "key", "output.dense"], "exclude_modules": ["attention.output.dense"],
        "layers_to_transform": [1], "layers_pattern": "layer"}, torch.bfloat16),
    "mpnet-list": (MPNET, "AutoModel", {"pooling": "mean"}, {
        "r": 3, "lora_alpha": 6, "use_rslora": True, "target_modules": ["q", "v", "dense"], "exclude_modules": r".*pooler\..*",
        "layers_to_transform": 1}, torch.float32),
    "mpnet-classifier-f16": (MPNET, CLASSIFIER, {"pooling": "mean"}, {
        "r": 2, "lora_alpha": 5, "target_modules": r"mpnet\.(embeddings\.word_embeddings|encoder\.layer\.\d+\.attention\.attn\.[ok])"},
        torch.float16),
    "llama-all-linear": (LLAMA, CAUSAL, {"every": EVERY}, {
        "r": 2, "lora_alpha": 3, "use_rslora": True, "target_modules": "all-linear", "task_type": "CAUSAL_LM",
        "rank_pattern": {r"layers\.1\..*(gate|up)_proj": 1}}, torch.float32),
    "llama-default-bare": (LLAMA, "AutoModel", {"every": EVERY}, {"r": 3, "lora_alpha": 16}, torch.float32),
    "llama-embeddings": (LLAMA, CAUSAL, {"every": EVERY}, {
        "r": 2, "lora_alpha": 3, "target_modules": ["embed_tokens", "lm_head", "o_proj"], "task_type": "CAUSAL_LM",
        "alpha_pattern": {"lm_head": 1}}, torch.float32),
    "llama-tied": (LLAMA, CAUSAL, {"every": EVERY, "tied": True}, {
        "r": 2, "lora_alpha": 3, "target_modules": ["embed_tokens", "down_proj"], "ensure_weight_tying": True}, torch.float32),
    # On a tied weight without ensure_weight_tying, PEFT adapts the one use alone.
    "llama-one-use": (LLAMA, CAUSAL, {"every": EVERY, "tied": True}, {
        "r": 2, "lora_alpha": 3, "target_modules": ["embed_tokens", "v_proj"]}, torch.float32),
    "t5-default": (T5, PAIRS, {"every": EVERY}, {"r": 1, "lora_alpha": 2, "task_type": "SEQ_2_SEQ_LM"}, torch.float32),
    "t5-regex-rslora": (T5, PAIRS, {"every": EVERY}, {
        "r": 2, "lora_alpha": 3, "use_rslora": True,
        "target_modules": r"(?!.*block\.0).*\.(EncDecAttention\.[ko]|DenseReluDense\.wi)",
        "rank_pattern": {r"encoder.*\.wi": 1, "wi": 3}}, torch.bfloat16),
    "t5-one-delta": (T5, PAIRS, {"every": EVERY}, {
        "r": 2, "lora_alpha": 3, "target_modules": ["embed_tokens", "lm_head", "wi"]}, torch.float32),
    "t5-gated-patterns": (T5_GATED, PAIRS, {"every": EVERY}, {
        "r": 2, "lora_alpha": 3, "target_modules": ["wi_0", "wi_1", "wo", "SelfAttention.o", "lm_head"], "layers_to_transform": [1],
        "exclude_modules": r"encoder\..*\.wi_0", "rank_pattern": {"wi_1": 1, r"decoder\..*\.wo": 3},
        "alpha_pattern": {"lm_head": 1, "block.1.layer.0.SelfAttention.o": 5}}, torch.float32),
    "t5-gated-one-delta": (T5_GATED, PAIRS, {"every": EVERY}, {
        "r": 1, "lora_alpha": 2, "target_modules": ["encoder.embed_tokens", "decoder.embed_tokens"]}, torch.float32),
    "t5-gated-all-linear": (T5_GATED, PAIRS, {"every": EVERY}, {
        "r": 1, "lora_alpha": 1, "target_modules": "all-linear", "exclude_modules": r"encoder.*|.*block\.0.*"}, torch.float16),
}
ONE_DELTA = ("t5-one-delta", "t5-gated-one-delta")


def sequences(model, rng):
    """Random tokens without those that only pad."""
    draw = lambda size, least, count: torch.randint(least, size, (count,), generator=rng).tolist()
    lengths = (3, 11, 6, 17)
    if model == LLAMA:
        return [{"ids": draw(288, 3, length)} for length in lengths]
    if model in (T5, T5_GATED):
        return [{"ids": draw(128, 3, length), "target": [START, *draw(128, 3, target)]}
                for length, target in zip(lengths, (0, 4, 9, 2))]
    types = lambda length: [0] * length if model == MPNET else sorted(draw(2, 0, length))
    return [{"ids": draw(80, 4, length), "type_ids": types(length)} for length in lengths]


def targets(check, rng):
    """What training goes on with: labels of an encoder's sequences, texts of a decoder."""
    if "pooling" in check:
        return {"labels": torch.randn(len(check["sequences"]), generator=rng).tolist()}
    known, end = VOCABULARY[pathlib.Path(check["model"]).name]
    draw = lambda length: torch.randint(3, known, (length,), generator=rng).tolist()
    return {"texts": [{"prompt": draw(prompt), "text": [*draw(text), end]} for prompt, text in ((4, 6), (1, 9), (12, 3))]}


def loss(model, directory, check):
    if "labels" in check:
        found = logits(model, directory, check)[:, 0]
        return torch.nn.functional.mse_loss(found, torch.tensor(check["labels"], dtype=found.dtype))
    base = model.get_base_model()
    bare, losses = getattr(base, base.base_model_prefix, base), []
    for entry in check["texts"]:
        prompt, text = entry["prompt"], entry["text"]
        if check["class"] == PAIRS:
            found = base(input_ids=torch.tensor([prompt]), labels=torch.tensor([text])).logits[0]
        else:
            found = token_logits(base, bare, directory, check, prompt + text)[len(prompt) - 1:-1]
        losses.append(torch.nn.functional.cross_entropy(found, torch.tensor(text), reduction="none"))
    return torch.cat(losses).mean()


def train(directory, check):
    """The losses before each of the steps, in float64."""
    base = load_base(directory, check)
    base = exact(base) if check["model"].endswith(LLAMA) else base.double()
    for module in base.modules():
        if isinstance(module, T5LayerNorm):
            module.forward = norm.__get__(module)
    # A row that pads would get no gradient in PyTorch, wherever it is.
    for module in base.modules():
        if isinstance(module, torch.nn.Embedding):
            module.padding_idx = None
    model = PeftModel.from_pretrained(base, directory, is_trainable=True).double().eval()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=STEP_SIZE, betas=(0.9, 0.999),
                                  eps=1e-6, weight_decay=0.0)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        value = loss(model, directory, check)
        value.backward()
        losses.append(value.item())
        optimizer.step()
    return losses


def randomize(model, rng):
    """Random factors, in place: those of a tied weight lie in one memory."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=rng))


def equalize(model):
    """The factors of the encoder's embedding for all of its uses; of T5 whose head is another weight for both."""
    tables = [module.embed_tokens for module in (model.get_base_model().encoder, model.get_base_model().decoder)]
    a, b = tables[0].lora_embedding_A["default"], tables[0].lora_embedding_B["default"]
    head = model.get_base_model().lm_head
    with torch.no_grad():
        tables[1].lora_embedding_A["default"].copy_(a)
        tables[1].lora_embedding_B["default"].copy_(b)
        if hasattr(head, "lora_A"):
            head.lora_A["default"].weight.copy_(b.T)
            head.lora_B["default"].weight.copy_(a.T)


def save(model, directory, dtype, whole):
    model.save_pretrained(directory, save_embedding_layers="auto" if whole else False)
    (directory / "README.md").unlink(missing_ok=True)
    path = directory / "adapter_model.safetensors"
    if dtype != torch.float32:
        tensors = load_file(path)
        save_file({name: value.to(dtype) for name, value in tensors.items()}, path, {"format": "pt"})
    config = json.loads((directory / "adapter_config.json").read_text())
    # PEFT sorts keys as it saves, so that another pattern may be the first to match. A file by hand has them in its own order.
    config |= {key: getattr(model.peft_config["default"], key) for key in ("rank_pattern", "alpha_pattern")}
    # Sets are saved in an order that changes from run to run; and the path of the model is of this machine.
    for key in ("target_modules", "exclude_modules"):
        if isinstance(config[key], list):
            config[key] = sorted(config[key])
    config["base_model_name_or_path"] = pathlib.Path(config["base_model_name_or_path"] or "tiny").name
    (directory / "adapter_config.json").write_text(json.dumps(config, indent=1) + "\n")


def make(name, output, rng, whole):
    model, kind, keys, settings, dtype = CASES[name]
    directory = output / name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    check = {"model": os.path.relpath(FIXTURES / model, directory), "class": kind, **keys, "sequences": sequences(model, rng)}
    if "pooling" in check:
        check["head"] = {"weight": torch.randn(1, 24, generator=rng).tolist(), "bias": torch.randn(1, generator=rng).tolist()}
    check |= targets(check, rng)
    base = load_base(directory, check)
    with torch.no_grad():
        plain = logits(base, directory, check)
    adapted = get_peft_model(base, LoraConfig(**settings)).eval()
    randomize(adapted, rng)
    if name in ONE_DELTA:
        equalize(adapted)
    save(adapted, directory, dtype, whole)
    loaded = PeftModel.from_pretrained(load_base(directory, check), directory).eval()
    with torch.no_grad():
        found = logits(loaded, directory, check)
    assert (found - plain).abs().max() > 0.1, f"{name} hardly changes the logits"
    check["logits"] = found.tolist()
    if not settings.get("ensure_weight_tying") and name not in ONE_DELTA:
        check |= {"losses": train(directory, check), "step_size": STEP_SIZE}
    write_json(directory / "check.json", check)
    print(f"{name}: {len(load_file(directory / 'adapter_model.safetensors'))} tensors, "
          f"changes logits by {(found - plain).abs().max():.2f}, losses {check.get('losses')}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("output", type=pathlib.Path, nargs="?", default=FIXTURES / "peft")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--whole", action="store_true", help="with the frozen embeddings that PEFT adds by itself")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    warnings.simplefilter("ignore")
    for place, name in enumerate(CASES):
        make(name, arguments.output.resolve(), torch.Generator().manual_seed(100 * arguments.seed + place), arguments.whole)


if __name__ == "__main__":
    main()
