"""PyTorch: a training step of adapters on an encoder, as its users write it: padded batches, autograd, AdamW. LoRA is PEFT's; Deep
LoRA, which PEFT does not have, is a module around each adapted one."""

import peft
import torch
import transformers
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModel

from protocol import serve, threads

torch.set_num_threads(threads())
torch.manual_seed(1)


def padded(batch, config):
    """A batch's tensors, padded to its longest sequence."""
    longest = max(len(sequence["ids"]) for sequence in batch)

    def rows(values, fill):
        return torch.tensor([list(row) + [fill] * (longest - len(row)) for row in values])

    tokens = {
        "input_ids": rows([sequence["ids"] for sequence in batch], config.pad_token_id),
        "attention_mask": rows([[1] * len(sequence["ids"]) for sequence in batch], 0),
    }
    if config.model_type == "bert":
        tokens["token_type_ids"] = rows([sequence["token_types"] for sequence in batch], 0)
    return tokens, torch.tensor([sequence["label"] for sequence in batch])


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
    def __init__(self, question):
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
        self.batches = [padded(batch, config) for batch in question["batches"]]
        self.optimizer = torch.optim.AdamW(
            self.moving.values(), lr=question["step_size"], betas=(0.9, 0.999), eps=1e-6, weight_decay=0
        )
        self.steps = 0

    def loss(self, batch):
        tokens, labels = batch
        logits = self.dropout(self.model(**tokens).pooler_output) @ self.head.T
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


version = f"{torch.__version__} (PEFT {peft.__version__}, transformers {transformers.__version__})"
serve("PyTorch", version, Peer)
