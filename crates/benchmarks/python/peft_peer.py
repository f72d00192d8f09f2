"""PyTorch with PEFT: a training step of LoRA on a BERT encoder, as its users write it: padded batches, autograd, AdamW."""

import peft
import torch
import transformers
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModel

from protocol import serve, threads

torch.set_num_threads(threads())
torch.manual_seed(1)


def padded(batch):
    """A batch's tensors, padded to its longest sequence."""
    longest = max(len(sequence["ids"]) for sequence in batch)

    def rows(values, fill):
        return torch.tensor([list(row) + [fill] * (longest - len(row)) for row in values])

    tokens = {
        "input_ids": rows([sequence["ids"] for sequence in batch], 0),
        "token_type_ids": rows([sequence["token_types"] for sequence in batch], 0),
        "attention_mask": rows([[1] * len(sequence["ids"]) for sequence in batch], 0),
    }
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


class Peer:
    def __init__(self, question):
        encoder = AutoModel.from_pretrained(question["model"], dtype=torch.float32)
        self.model = PeftModel.from_pretrained(encoder, question["adapter"], is_trainable=True)
        self.head = load_file(question["head"])["head"]  # outputs x hidden, frozen
        self.dropout = torch.nn.Dropout(encoder.config.hidden_dropout_prob)
        self.batches = [padded(batch) for batch in question["batches"]]
        self.moving = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
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
            ours, transposed = our_name(name)
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
