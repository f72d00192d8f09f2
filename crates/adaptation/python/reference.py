"""The reference: transformers' own BertModel run with weights W + ΔW, gradients by torch's autograd.

Nothing here is clever, on purpose. A batch is padded and masked (the Rust side packs), ΔW is formed by the defining
product, and torch.func.functional_call puts W + ΔW in the place of W. A parameter name is `site/parameter`, where a site
is a module of BertModel (`encoder.layer.0.attention.self.query`) and the parameters of a method are those of `delta`.
"""

import torch
from torch.nn.functional import cross_entropy, mse_loss
from transformers import AttentionInterface, AttentionMaskInterface, BertModel
from transformers.masking_utils import eager_mask

LAYER_SITES = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
               "intermediate.dense", "output.dense")


def all_dense(layers):
    """Every 2-D weight with both sides at least the hidden size: the paper's "all dense"."""
    inner = [f"encoder.layer.{layer}.{site}" for layer in range(layers) for site in LAYER_SITES]
    return ["embeddings.word_embeddings", "embeddings.position_embeddings", *inner, "pooler.dense"]


def load_encoder(directory, dtype):
    """The encoder in eval mode, frozen, with given dropout at every place (none, until `give_masks`)."""
    model = BertModel.from_pretrained(directory, attn_implementation="given-dropout").to(dtype).eval()
    model.requires_grad_(False)
    model.embeddings.dropout = GivenDropout(model.config.hidden_dropout_prob)
    for layer in model.encoder.layer:
        layer.attention.self.keep = None
        layer.attention.output.dropout = GivenDropout(model.config.hidden_dropout_prob)
        layer.output.dropout = GivenDropout(model.config.hidden_dropout_prob)
    return model


class GivenDropout(torch.nn.Module):
    """Dropout with a given keep-mask; the identity without one."""

    def __init__(self, probability):
        super().__init__()
        self.probability = probability
        self.keep = None

    def forward(self, x):
        return x if self.keep is None else x * self.keep / (1 - self.probability)


def attention(module, query, key, value, attention_mask, scaling=None, dropout=0.0, **_):
    """Softmax attention, the probabilities dropped by the module's keep-mask."""
    scores = query @ key.transpose(2, 3) * scaling
    if attention_mask is not None:
        scores = scores + attention_mask
    probabilities = torch.softmax(scores, dim=-1)
    if module.keep is not None:
        probabilities = probabilities * module.keep / (1 - module.config.attention_probs_dropout_prob)
    return (probabilities @ value).transpose(1, 2).contiguous(), probabilities


AttentionInterface.register("given-dropout", attention)
AttentionMaskInterface.register("given-dropout", eager_mask)


def draw_masks(config, lengths, generator):
    """Keep-masks (1 = kept) for every place, packed: rows are the batch's tokens, one sequence after the other."""
    tokens, hidden = sum(lengths), config.hidden_size

    def draw(probability, *shape):
        return (torch.rand(*shape, generator=generator, dtype=torch.float64) >= probability).to(torch.uint8)

    masks = {"embeddings": draw(config.hidden_dropout_prob, tokens, hidden)}
    for layer in range(config.num_hidden_layers):
        for sequence, length in enumerate(lengths):
            masks[f"layer.{layer}/attention_probabilities/{sequence}"] = draw(
                config.attention_probs_dropout_prob, config.num_attention_heads, length, length)
        masks[f"layer.{layer}/attention_output"] = draw(config.hidden_dropout_prob, tokens, hidden)
        masks[f"layer.{layer}/output"] = draw(config.hidden_dropout_prob, tokens, hidden)
    masks["pooled"] = draw(config.hidden_dropout_prob, len(lengths), hidden)
    return masks


def give_masks(model, masks, lengths):
    """Puts packed keep-masks (or None: dropout off) in their places, padded with ones."""
    def rows(name):
        if masks is None:
            return None
        padded = torch.ones(len(lengths), max(lengths), masks[name].shape[1], dtype=model.dtype)
        for sequence, part in enumerate(masks[name].split(lengths)):
            padded[sequence, : len(part)] = part
        return padded

    def squares(layer):
        if masks is None:
            return None
        padded = torch.ones(len(lengths), model.config.num_attention_heads, max(lengths), max(lengths), dtype=model.dtype)
        for sequence, length in enumerate(lengths):
            padded[sequence, :, :length, :length] = masks[f"layer.{layer}/attention_probabilities/{sequence}"]
        return padded

    model.embeddings.dropout.keep = rows("embeddings")
    for index, layer in enumerate(model.encoder.layer):
        layer.attention.self.keep = squares(index)
        layer.attention.output.dropout.keep = rows(f"layer.{index}/attention_output")
        layer.output.dropout.keep = rows(f"layer.{index}/output")


def pad(sequences):
    """BertModel's arguments for a list of {"ids", "type_ids"}, padded with 0 and masked."""
    longest = max(len(sequence["ids"]) for sequence in sequences)

    def rows(values):
        return torch.tensor([row + [0] * (longest - len(row)) for row in values])

    return {
        "input_ids": rows([sequence["ids"] for sequence in sequences]),
        "token_type_ids": rows([sequence["type_ids"] for sequence in sequences]),
        "attention_mask": rows([[1] * len(sequence["ids"]) for sequence in sequences]),
    }


def delta(method, factors, settings):
    """ΔW (m × n) of one site. LoRA: B A. Deep LoRA: W_L ... W_1. Sine-LoRA (arXiv 2403.19243): sin(ω B A) / √n."""
    if method == "lora":
        return factors["B"] @ factors["A"]
    if method == "sine-lora":
        a = factors["A"]
        return torch.sin(settings["frequency"] * (factors["B"] @ a)) / a.shape[1] ** 0.5
    product = factors["W_1"]
    for layer in range(2, len(factors) + 1):
        product = factors[f"W_{layer}"] @ product
    return product


def by_site(parameters):
    """{"site/parameter": tensor} as {site: {parameter: tensor}}."""
    sites = {}
    for name, value in parameters.items():
        site, parameter = name.rsplit("/", 1)
        sites.setdefault(site, {})[parameter] = value
    return sites


def adapted_logits(model, head, sequences, deltas, pooling, masks=None):
    """Logits (sequences × outputs) with W + ΔW on the sites of `deltas`; masks as `draw_masks` gives them."""
    give_masks(model, masks, [len(sequence["ids"]) for sequence in sequences])
    arguments = pad(sequences)
    weights = {f"{site}.weight": model.get_submodule(site).weight + delta for site, delta in deltas.items()}
    output = torch.func.functional_call(model, weights, args=(), kwargs=arguments)
    if pooling == "pooler":
        pooled = output.pooler_output
    else:
        mask = arguments["attention_mask"].unsqueeze(-1).to(output.last_hidden_state.dtype)
        pooled = (output.last_hidden_state * mask).sum(1) / mask.sum(1)
    if masks is not None:
        pooled = pooled * masks["pooled"] / (1 - model.config.hidden_dropout_prob)
    return pooled @ head["weight"].T + head["bias"]


def loss_of(logits, labels):
    """Mean squared error for real labels, cross-entropy for class numbers; the mean over the batch."""
    if labels.dtype.is_floating_point:
        return mse_loss(logits.squeeze(1), labels)
    return cross_entropy(logits, labels)


def loss_and_gradients(model, head, sequences, labels, parameters, method, settings, pooling, masks=None):
    """(logits, loss, {name: gradient}); a parameter out of reach has gradient 0."""
    leaves = {name: value.detach().clone().requires_grad_() for name, value in parameters.items()}
    sites = by_site(leaves)
    deltas = {site: delta(method, factors, settings) for site, factors in sites.items()}
    logits = adapted_logits(model, head, sequences, deltas, pooling, masks)
    loss = loss_of(logits, labels)
    gradients = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True, materialize_grads=True)
    return logits.detach(), loss.item(), dict(zip(leaves, gradients))


def haar(rows, columns, generator):
    """A Haar-random orthogonal matrix, rows or columns cut off."""
    long, short = max(rows, columns), min(rows, columns)
    q, r = torch.linalg.qr(torch.randn(long, short, generator=generator, dtype=torch.float64))
    q = q * r.diagonal().sign()
    return (q if rows >= columns else q.T).contiguous()


def initial_factors(method, shape, rank, generator, init_scale=1e-3, zero="B"):
    """Factors of one site as they start: LoRA's `zero` zero and the other one standard normal; Deep LoRA's three ε × orthogonal,
    as wide as the site has ranks if `rank` is None."""
    m, n = shape
    if method == "lora":
        return {name: torch.zeros(size, dtype=torch.float64) if name == zero
                else torch.randn(size, generator=generator, dtype=torch.float64)
                for name, size in (("A", (rank, n)), ("B", (m, rank)))}
    rank = rank or min(m, n)
    shapes = ((rank, n), (rank, rank), (m, rank))
    return {f"W_{layer}": init_scale * haar(*shape, generator) for layer, shape in enumerate(shapes, 1)}


def train(model, head, sequences, labels, batches, parameters, method, pooling, step_size):
    """(losses, final parameters) of AdamW (β 0.9 and 0.999, eps 1e-6, no decay), one step per batch, dropout off."""
    leaves = {name: value.detach().clone().to(model.dtype).requires_grad_() for name, value in parameters.items()}
    optimizer = torch.optim.AdamW(leaves.values(), lr=step_size, betas=(0.9, 0.999), eps=1e-6, weight_decay=0.0,
                                  foreach=False)
    losses = []
    for batch in batches:
        deltas = {site: delta(method, factors, {}) for site, factors in by_site(leaves).items()}
        chosen = [sequences[index] for index in batch]
        loss = loss_of(adapted_logits(model, head, chosen, deltas, pooling), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, {name: value.detach() for name, value in leaves.items()}
