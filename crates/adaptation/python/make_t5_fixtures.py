"""Writes the fixtures in ../tests/fixtures that the tests of T5 compare themselves with.

    ENV/bin/pip install -r requirements.txt
    ENV/bin/python make_t5_fixtures.py

Deterministic, as make_fixtures.py; written with transformers 5.24.0.

- tiny-t5/: config.json, model.safetensors, tokenizer.json of a T5ForConditionalGeneration of the first kind (ReLU, the head is the
  embedding), with heads that are shorter together than a hidden state, and one layer more in the decoder than in the encoder.
- tiny-t5-gated/: the same of kind 1.1 (gated GELU, a head of its own).
- t5.json, t5.safetensors: texts with tokens; pairs of source and target; logits/KIND/K (F32, rounded from float64; tokens × every
  7th of the vocabulary); greedy and beams (4 beams): what generate() writes up to the token that ends.
- gradients-t5.json, gradients-t5-KIND.safetensors: pairs, the loss of the targets with adapters on all 2-D weights but the tables of
  relative positions, and its gradient by autograd (F64; SITE/NAME). KIND "tied" is LoRA of rank 3 on tiny-t5/, whose embedding has
  one ΔW in all of its uses; "untied" the same on tiny-t5-gated/; "deep" Deep LoRA of depth 3 on tiny-t5/; "dropout" is "untied" with
  the masks in gradients-t5.json. Then AdamW on the same: the loss before each step.
  Entry (i, j) of factor k is 0.3 sin(0.7 i + 1.3 j + 0.9 i j + k); factors count through all sites in the order of the model's
  parameters, of a site in the order of their names.

All is in float64 throughout: T5's RMSNorm, which transformers computes in float32 whatever the model's type, is replaced by the same
formula in float64.
"""

import json
import pathlib

import torch
from safetensors.torch import save_file
from transformers import AttentionInterface, AttentionMaskInterface, T5Config, T5ForConditionalGeneration, T5Tokenizer
from transformers.masking_utils import eager_mask
from transformers.models.t5.modeling_t5 import T5LayerNorm

from make_decoder_fixtures import EVERY, NEW_TOKENS, write_json

FIXTURES = pathlib.Path(__file__).parent.parent / "tests" / "fixtures"
START, END = 0, 1
SHARED = dict(vocab_size=128, num_heads=3, pad_token_id=0, eos_token_id=END, decoder_start_token_id=START, dropout_rate=0.2)
KINDS = {
    "tiny-t5": dict(d_model=24, d_kv=6, d_ff=32, num_layers=2, num_decoder_layers=3, relative_attention_num_buckets=8,
                    relative_attention_max_distance=20, feed_forward_proj="relu", tie_word_embeddings=True, layer_norm_epsilon=1e-5),
    "tiny-t5-gated": dict(d_model=16, d_kv=8, d_ff=32, num_layers=2, num_decoder_layers=2, relative_attention_num_buckets=32,
                          relative_attention_max_distance=128, feed_forward_proj="gated-gelu", tie_word_embeddings=False,
                          layer_norm_epsilon=1e-6),
}
# Deviations of embedding and biases, and of all other matrices: such that texts are not one token again and again.
SCALES = {"tiny-t5": (0.5, 0.4), "tiny-t5-gated": (0.7, 0.25)}
TEXTS = ["The plot was a good plot.", "name[The Mill], price[20]", "  the  film\n", "</s> is the <extra_id_1>?"]


# The model with given dropout, in float64 -----------------------------------------------------------------------------

class Given(torch.nn.Module):
    """Dropout at one place after the other, with the masks of the sequence that the model is at; the identity without."""

    def __init__(self, model, *places):
        super().__init__()
        self.state, self.places, self.calls = model.given, places, 0

    def forward(self, x):
        place, self.calls = self.places[self.calls % len(self.places)], self.calls + 1
        return drop(self.state, place, x)


def drop(state, place, x):
    """Masks are asked for with their shape, and drawn when they are not there."""
    if "masks" not in state:
        return x
    key = f"{place}/{state['sequence']}"
    if key not in state["masks"]:
        state["masks"][key] = (torch.rand(x.shape, generator=state["rng"]) >= SHARED["dropout_rate"]).double()
    return x * state["masks"][key] / (1 - SHARED["dropout_rate"])


def attention(module, query, key, value, attention_mask, scaling=None, dropout=0.0, position_bias=None, **_):
    scores = query @ key.transpose(2, 3) * scaling + position_bias
    if attention_mask is not None:
        scores = scores + attention_mask
    probabilities = drop(module.given, module.place, torch.softmax(scores, dim=-1))
    return (probabilities @ value).transpose(1, 2).contiguous(), probabilities


AttentionInterface.register("given-dropout", attention)
AttentionMaskInterface.register("given-dropout", eager_mask)


def norm(self, x):
    return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon))


def load(directory):
    """The model in float64 throughout. Places count layers through encoder and decoder."""
    model = T5ForConditionalGeneration.from_pretrained(directory, attn_implementation="given-dropout").double().eval()
    model.requires_grad_(False)
    model.given = {}
    for module in model.modules():
        if isinstance(module, T5LayerNorm):
            module.forward = norm.__get__(module)
    model.encoder.dropout = Given(model, "embeddings", "encoded")
    model.decoder.dropout = Given(model, "target_embeddings", "decoded")
    for number, block in enumerate([*model.encoder.block, *model.decoder.block]):
        own, last = block.layer[0], block.layer[-1]
        own.dropout, last.dropout = Given(model, f"attention_output.{number}"), Given(model, f"output.{number}")
        own.SelfAttention.given, own.SelfAttention.place = model.given, f"probabilities.{number}"
        last.DenseReluDense.dropout = Given(model, f"activated.{number}")
        if len(block.layer) == 3:
            block.layer[1].dropout = Given(model, f"cross_output.{number}")
            cross = block.layer[1].EncDecAttention
            cross.given, cross.place = model.given, f"cross_probabilities.{number}"
    return model


# The tiny models ------------------------------------------------------------------------------------------------------

PIECES = ["▁the", "▁pl", "ot", "▁is", "▁name", "▁good", "ill", "ilm", "▁pr", "ice", "oo", "▁"]
LETTERS = "abcdefghijklmnopqrstuvwxyzTM.,?[]0123456789"


def make_tokenizer():
    """A vocabulary of pieces; all else as transformers' T5Tokenizer has it."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces += [(piece, -2.0 - 0.01 * place) for place, piece in enumerate([*PIECES, *LETTERS])]
    pieces += [(f"<extra_id_{number}>", 0.0) for number in (1, 0)]
    tokenizer = T5Tokenizer(vocab=pieces, extra_ids=2)
    for kind in KINDS:
        tokenizer.backend_tokenizer.save(str(FIXTURES / kind / "tokenizer.json"))
    return tokenizer


def make_tiny(kind, seed):
    config = T5Config(**SHARED, **KINDS[kind])
    rng = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, value in T5ForConditionalGeneration(config).state_dict().items():
        if "embed_tokens" in name or (name == "lm_head.weight" and KINDS[kind]["tie_word_embeddings"]):
            continue
        centre, scale = (1.0, 0.2) if "norm" in name else (0.0, SCALES[kind][0] if "shared" in name or "bias" in name else SCALES[kind][1])
        tensors[name] = (centre + scale * torch.randn(*value.shape, generator=rng, dtype=torch.float64)).float()
    # So that some texts come to their end.
    tensors["lm_head.weight" if "lm_head.weight" in tensors else "shared.weight"][END] *= 2.0
    save_file(tensors, FIXTURES / kind / "model.safetensors", metadata={"format": "pt"})
    stored = {"architectures": ["T5ForConditionalGeneration"], "model_type": "t5", "is_encoder_decoder": True, "n_positions": 512,
              **SHARED, **KINDS[kind]}
    (FIXTURES / kind / "config.json").write_text(json.dumps(stored, indent=2) + "\n")
    model = load(FIXTURES / kind)
    tied = model.lm_head.weight.data_ptr() == model.shared.weight.data_ptr()
    assert (tied, model.config.scale_decoder_outputs) == (KINDS[kind]["tie_word_embeddings"],) * 2
    return model


def logits(model, source, target):
    """Those of every target token, the decoder reading the start and the targets before."""
    labels = torch.tensor([target])
    return model(input_ids=torch.tensor([source]), labels=labels).logits[0]


def generated(model, sources, beams):
    """What is written for each source, one after the other, without what pads. Without transformers' cache, which has as many layers
    as the encoder."""
    texts = []
    for source in sources:
        ids = model.generate(torch.tensor([source]), num_beams=beams, do_sample=False, max_new_tokens=NEW_TOKENS,
                             use_cache=False)
        written = ids[0, 1:].tolist()
        texts.append(written[:written.index(END) + 1] if END in written else written)
    return texts


# Gradients of adapters ------------------------------------------------------------------------------------------------

RANK, STEPS, STEP_SIZE = 3, 5, 1e-2


def matrices(model):
    """The 2-D weights by their modules, each once."""
    return {name.removesuffix(".weight"): weight for name, weight in model.named_parameters()
            if weight.ndim == 2 and "relative_attention_bias" not in name}


def make_factors(model, depth):
    names = ("A", "B") if depth == 2 else tuple(f"W_{layer}" for layer in range(1, depth + 1))
    leaves = {}
    for site, weight in matrices(model).items():
        (m, n), inner = weight.shape, [RANK] * (depth - 1)
        for name, rows, columns in zip(names, [*inner, m], [n, *inner]):
            i, j = torch.meshgrid(torch.arange(rows).double(), torch.arange(columns).double(), indexing="ij")
            leaves[f"{site}/{name}"] = (0.3 * torch.sin(0.7 * i + 1.3 * j + 0.9 * i * j + len(leaves))).requires_grad_()
    return leaves


def pairs_loss(model, pairs, leaves):
    """The mean cross-entropy of all targets' tokens, with W + ΔW in the place of W. Pairs one by one: nothing is padded."""
    weights = {}
    for site, weight in matrices(model).items():
        factors = [value for name, value in sorted(leaves.items()) if name.rsplit("/", 1)[0] == site]
        delta = factors[0]
        for factor in factors[1:]:
            delta = factor @ delta
        weights[f"{site}.weight"] = weight + delta
    losses = []
    for number, (source, target) in enumerate(pairs):
        model.given["sequence"] = number
        keys = {"input_ids": torch.tensor([source]), "labels": torch.tensor([target])}
        found = torch.func.functional_call(model, weights, kwargs=keys, tie_weights=True).logits[0]
        losses.append(torch.nn.functional.cross_entropy(found, torch.tensor(target), reduction="none"))
    return torch.cat(losses).mean()


def make_gradients(models, pairs):
    report, masks = {}, {}
    for kind, (model, depth) in models.items():
        leaves = make_factors(model, depth)
        if kind == "dropout":
            model.given |= {"masks": masks, "rng": torch.Generator().manual_seed(5)}
        gradients = torch.autograd.grad(pairs_loss(model, pairs, leaves), list(leaves.values()))
        save_file({name: value.contiguous() for name, value in zip(leaves, gradients)},
                  FIXTURES / f"gradients-t5-{kind}.safetensors")
        optimizer = torch.optim.AdamW(leaves.values(), lr=STEP_SIZE, betas=(0.9, 0.999), eps=1e-6, weight_decay=0.0)
        losses = []
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss = pairs_loss(model, pairs, leaves)
            loss.backward()
            losses.append(loss.item())
            optimizer.step()
        report[kind] = losses
        model.given.clear()
    masks = {key: "".join(str(int(kept)) for kept in mask.flatten().tolist()) for key, mask in masks.items()}
    write_json(FIXTURES / "gradients-t5.json", {"pairs": pairs, "step_size": STEP_SIZE, "losses": report, "masks": masks})


def main():
    torch.set_num_threads(1)
    for kind in KINDS:
        (FIXTURES / kind).mkdir(parents=True, exist_ok=True)
    tokenizer = make_tokenizer()
    models = {kind: make_tiny(kind, seed) for seed, kind in enumerate(KINDS, 1)}
    texts = [{"text": text, "ids": tokenizer(text).input_ids} for text in TEXTS]
    rng = torch.Generator().manual_seed(2)
    draw = lambda lengths: [torch.randint(3, SHARED["vocab_size"], (length,), generator=rng).tolist() for length in lengths]
    pairs = [draw(lengths) for lengths in ((1, 1), (3, 9), (150, 2), (20, 30), (7, 60))]
    sources = draw((1, 3, 17, 5, 8, 2, 30, 4))
    found, written = {}, {}
    for kind, model in models.items():
        for index, (source, target) in enumerate(pairs):
            found[f"logits/{kind}/{index}"] = logits(model, source, target)[:, ::EVERY].float().contiguous()
        written[kind] = {"greedy": generated(model, sources, 1), "beams": generated(model, sources, 4)}
    save_file(found, FIXTURES / "t5.safetensors")
    write_json(FIXTURES / "t5.json", {"texts": texts, "pairs": pairs, "sources": sources, "new_tokens": NEW_TOKENS, **written})
    tied, untied = models["tiny-t5"], models["tiny-t5-gated"]
    pairs = [draw(lengths) for lengths in ((5, 7), (1, 1), (20, 12), (2, 10), (9, 1))]
    make_gradients({"tied": (tied, 2), "untied": (untied, 2), "deep": (tied, 3), "dropout": (untied, 2)}, pairs)


if __name__ == "__main__":
    main()
