"""Times the step of benches/t5_step.rs in PyTorch, on all threads: LoRA of rank 8 on every 2-D weight with both sides of at least
512, factor by factor as PEFT applies it; on the embedding in all of its uses.

    ENV/bin/python time_t5_step.py DIRECTORY SOURCE,TARGET...

Each SOURCE,TARGET is a pair's numbers of tokens. A batch is padded and masked. PEFT itself has no one ΔW for a tied embedding, so its
forward passes are those of time_decoder_step.py.
"""

import sys
import time

import torch
from transformers import T5ForConditionalGeneration

from time_decoder_step import RANK, STEPS, Adapted, AdaptedEmbedding


def adapt(model):
    """Puts adapters on the weights; returns what is trained."""
    def factors(m, n):
        a, b = torch.zeros(RANK, n), torch.randn(m, RANK)
        return torch.nn.Parameter(a), torch.nn.Parameter(b)

    model.requires_grad_(False)
    trained = []
    for part in [*model.encoder.modules(), *model.decoder.modules()]:
        for name, child in list(part.named_children()):
            if isinstance(child, torch.nn.Linear) and min(child.weight.shape) >= 512:
                a, b = factors(*child.weight.shape)
                adapted = Adapted(child, a, b)
                # transformers asks for its type.
                adapted.weight = child.weight
                setattr(part, name, adapted)
                trained += [a, b]
    a, b = factors(*model.shared.weight.shape)
    trained += [a, b]
    embedding = AdaptedEmbedding(model.shared, a, b)
    model.encoder.embed_tokens = model.decoder.embed_tokens = embedding
    if model.lm_head.weight is not model.shared.weight:
        a, b = factors(*model.lm_head.weight.shape)
        trained += [a, b]
    model.lm_head = Adapted(model.lm_head, a, b)
    return trained


def main():
    lengths = [tuple(map(int, argument.split(","))) for argument in sys.argv[2:]]
    model = T5ForConditionalGeneration.from_pretrained(sys.argv[1], dtype=torch.float32).train()
    optimizer = torch.optim.AdamW(adapt(model), lr=1e-4, eps=1e-6, weight_decay=0.0)
    sources, targets = (torch.tensor(side)[:, None] for side in zip(*lengths))
    vocabulary = model.config.vocab_size
    ids, labels = (torch.randint(3, vocabulary, (len(lengths), int(side.max()))) for side in (sources, targets))
    mask = torch.arange(ids.shape[1])[None] < sources
    labels.masked_fill_(torch.arange(labels.shape[1])[None] >= targets, -100)
    times = []
    # The first steps are slow.
    for _ in range(2 + STEPS):
        start = time.perf_counter()
        loss = model(input_ids=ids, attention_mask=mask.long(), labels=labels, use_cache=False).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        times.append(time.perf_counter() - start)
    times = sorted(times[2:])
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads: {times[0]:.2f} to {times[-1]:.2f} s a step")


if __name__ == "__main__":
    main()
