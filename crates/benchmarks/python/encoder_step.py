"""A training step of adapters on an encoder in PyTorch: autograd, AdamW. LoRA is PEFT's; Deep LoRA, which PEFT does not have, is a
module around each adapted one. A batch is padded, as PyTorch's users do, or packed into one row."""

import peft
import torch
import transformers
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModel

from protocol import threads

torch.set_num_threads(threads())
torch.manual_seed(1)

VERSION = f"{torch.__version__} (PEFT {peft.__version__}, transformers {transformers.__version__})"


def padded(batch, config):
    """A batch's tensors, padded to its longest sequence, and where in them sequences begin."""
    longest = max(len(sequence["ids"]) for sequence in batch)

    def rows(values, fill):
        return torch.tensor([list(row) + [fill] * (longest - len(row)) for row in values])

    tokens = {
        "input_ids": rows([sequence["ids"] for sequence in batch], config.pad_token_id),
        "attention_mask": rows([[1] * len(sequence["ids"]) for sequence in batch], 0),
    }
    if config.model_type == "bert":
        tokens["token_type_ids"] = rows([sequence["token_types"] for sequence in batch], 0)
    return tokens, [(row, 0) for row in range(len(batch))]


def packed(batch, config):
    """A batch's tensors in one row, where a mask keeps sequences from each other, and where in it sequences begin."""

    def row(of):
        return torch.tensor([[x for sequence in batch for x in of(sequence)]])

    is_bert = config.model_type == "bert"
    first = 0 if is_bert else config.pad_token_id + 1
    number = torch.tensor([place for place, sequence in enumerate(batch) for _ in sequence["ids"]])
    others = number[:, None] != number[None]
    tokens = {
        "input_ids": row(lambda sequence: sequence["ids"]),
        "position_ids": row(lambda sequence: range(first, first + len(sequence["ids"]))),
        "attention_mask": torch.zeros(others.shape).masked_fill(others, torch.finfo(torch.float32).min)[None, None],
    }
    if is_bert:
        tokens["token_type_ids"] = row(lambda sequence: sequence["token_types"])
    begins = [0] + number.bincount().cumsum(0)[:-1].tolist()
    return tokens, [(0, begin) for begin in begins]


def our_name(name):
    """The name of a parameter of PEFT's among ours, and whether it is the transpose of ours."""
    site, _, factor = name.removeprefix("base_model.model.").partition(".lora_")
    match factor.removesuffix(".weight").removesuffix(".default"):
        case "embedding_A":
            return f"{site}/B", True
        case "embedding_B":
            return f"{site}/A", True
        case letter:
            return f"{site}/{letter}", False


class Deep(torch.nn.Module):
    """A frozen layer with W_L ... W_1 added: multiplied out, or factor by factor, whichever takes fewer operations."""

    def __init__(self, layer, factors, merged):
        super().__init__()
        self.layer, self.merged = layer, merged
        self.factors = torch.nn.ParameterList([torch.nn.Parameter(factor) for factor in factors])  # W_1 first

    def product(self, factors):
        product = factors[0]
        for factor in factors[1:]:
            product = factor @ product
        return product

    def forward(self, x):
        factors = list(self.factors)
        if isinstance(self.layer, torch.nn.Embedding):
            return self.layer(x) + torch.nn.functional.embedding(x, factors[-1]) @ self.product(factors[:-1])
        if self.merged:
            return torch.nn.functional.linear(x, self.layer.weight + self.product(factors), self.layer.bias)
        return self.layer(x) + x @ self.product(factors[:-1]).T @ factors[-1].T


def with_deep_adapters(encoder, factors, merged):
    """The encoder, frozen, with the factors `module/W_l` on its modules; its trained parameters by their names."""
    encoder.requires_grad_(False)
    moving = {}
    for module in sorted({name.partition("/")[0] for name in factors}):
        depth = sum(name.startswith(f"{module}/") for name in factors)
        own = [factors[f"{module}/W_{place}"] for place in range(1, depth + 1)]
        parent, _, child = module.rpartition(".")
        deep = Deep(encoder.get_submodule(module), own, module in merged)
        setattr(encoder.get_submodule(parent), child, deep)
        moving |= {f"{module}/W_{place}": factor for place, factor in enumerate(deep.factors, start=1)}
    return encoder, moving


class Peer:
    """A run; `arrange` makes tensors of a batch: `padded` or `packed`."""

    def __init__(self, question, arrange):
        encoder = AutoModel.from_pretrained(question["model"], dtype=torch.float32)
        config = encoder.config
        if question["deep"]:
            factors = load_file(question["adapter"])
            self.model, self.moving = with_deep_adapters(encoder, factors, set(question["merged"]))
        else:
            self.model = PeftModel.from_pretrained(encoder, question["adapter"], is_trainable=True)
            self.moving = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        self.named = {name: (name, False) if question["deep"] else our_name(name) for name in self.moving}
        self.head = load_file(question["head"])["head"]  # outputs x hidden, frozen
        self.dropout = torch.nn.Dropout(config.hidden_dropout_prob)
        labels = [torch.tensor([sequence["label"] for sequence in batch]) for batch in question["batches"]]
        self.batches = [(*arrange(batch, config), own) for batch, own in zip(question["batches"], labels)]
        self.optimizer = torch.optim.AdamW(
            self.moving.values(), lr=question["step_size"], betas=(0.9, 0.999), eps=1e-6, weight_decay=0
        )
        self.steps = 0

    def loss(self, batch):
        tokens, begins, labels = batch
        hidden = self.model(**tokens).last_hidden_state[tuple(zip(*begins))]
        # A pooler reads the first token of what it is given.
        logits = self.dropout(self.model.pooler(hidden.unsqueeze(1))) @ self.head.T
        return torch.nn.functional.mse_loss(logits.squeeze(-1), labels)

    def evaluate(self):
        self.model.eval()
        self.dropout.eval()
        loss = self.loss(self.batches[0])
        gradients = torch.autograd.grad(loss, list(self.moving.values()))
        answer = {}
        for name, gradient in zip(self.moving, gradients):
            ours, transposed = self.named[name]
            gradient = gradient.T if transposed else gradient
            answer[ours] = gradient.double().contiguous().numpy()
        return loss.item(), answer

    def run(self, iterations):
        self.model.train()
        self.dropout.train()
        for _ in range(iterations):
            self.optimizer.zero_grad(set_to_none=True)
            self.loss(self.batches[self.steps % len(self.batches)]).backward()
            self.optimizer.step()
            self.steps += 1
