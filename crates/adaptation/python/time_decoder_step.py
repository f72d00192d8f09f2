"""Times the step of benches/decoder_step.rs in PyTorch, on all threads: LoRA of rank 8 on every 2-D weight with both sides of at
least 512, factor by factor as PEFT applies it; on the tied embedding and head, in both uses.

    ENV/bin/python time_decoder_step.py DIRECTORY PROMPT,TEXT...

DIRECTORY has the GGUF file; each PROMPT,TEXT is a sequence's numbers of tokens. A batch is padded and masked. PEFT itself has no one
ΔW for a tied pair, so its forward passes are written out here.
"""

import pathlib
import sys
import time

import torch
from torch.nn.functional import cross_entropy, embedding, linear
from transformers import AutoModelForCausalLM

RANK, STEPS = 8, 5


class Adapted(torch.nn.Module):
    """W x + B (A x)."""

    def __init__(self, frozen, a, b):
        super().__init__()
        self.frozen, self.a, self.b = frozen, a, b

    def forward(self, x):
        return self.frozen(x) + linear(linear(x, self.a), self.b)


class AdaptedEmbedding(Adapted):
    """Rows of W + B A."""

    def forward(self, ids):
        return self.frozen(ids) + embedding(ids, self.b) @ self.a


def adapt(model):
    """Puts adapters on the weights; returns what is trained."""
    def factors(m, n):
        a, b = torch.zeros(RANK, n), torch.randn(m, RANK)
        return torch.nn.Parameter(a), torch.nn.Parameter(b)

    model.requires_grad_(False)
    trained = []
    for layer in model.model.layers:
        for part in (layer.self_attn, layer.mlp):
            for name, child in list(part.named_children()):
                if isinstance(child, torch.nn.Linear) and min(child.weight.shape) >= 512:
                    a, b = factors(*child.weight.shape)
                    setattr(part, name, Adapted(child, a, b))
                    trained += [a, b]
    a, b = factors(*model.lm_head.weight.shape)
    model.lm_head, model.model.embed_tokens = Adapted(model.lm_head, a, b), AdaptedEmbedding(model.model.embed_tokens, a, b)
    return [*trained, a, b]


def main():
    path = next(pathlib.Path(sys.argv[1]).glob("**/*.gguf"))
    lengths = [tuple(map(int, argument.split(","))) for argument in sys.argv[2:]]
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()
    optimizer = torch.optim.AdamW(adapt(model), lr=1e-4, eps=1e-6, weight_decay=0.0)
    longest = max(map(sum, lengths))
    ids = torch.randint(3, 49152, (len(lengths), longest))
    places = torch.arange(longest)
    mask = torch.stack([places < prompt + text for prompt, text in lengths])
    targets = torch.stack([(places >= prompt) & (places < prompt + text) for prompt, text in lengths])
    labels = ids.masked_fill(~targets, -100)
    times = []
    for _ in range(1 + STEPS):
        start = time.perf_counter()
        logits = model(input_ids=ids, attention_mask=mask.long(), use_cache=False).logits
        loss = cross_entropy(logits[:, :-1].reshape(-1, logits.shape[-1]), labels[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        times.append(time.perf_counter() - start)
    times = sorted(times[1:])
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads: {times[0]:.2f} to {times[-1]:.2f} s a step")


if __name__ == "__main__":
    main()
