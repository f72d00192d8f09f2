"""AdaLoRA by PEFT itself: its layers, penalty and RankAllocator with torch's AdamW, step by step.

The encoder is transformers' BertForSequenceClassification with a given frozen head and one output, in float64, dropout off.
Steps count from 0, and `update_and_allocate` is called after the optimizer's step, as in PEFT's example. Names are ours: PEFT's
lora_A, lora_E, lora_B are Q, lambda, P, and a site is a module of BertModel.
"""

import torch
from peft import AdaLoraConfig, get_peft_model
from peft.tuners.adalora.layer import RankAllocator
from torch.nn.functional import mse_loss
from transformers import BertForSequenceClassification

from reference import pad

NAMES = {"lora_A": "Q", "lora_E": "lambda", "lora_B": "P"}


def peft_model(directory, head, sites, settings, seed):
    """The adapted encoder as PEFT initializes it."""
    model = BertForSequenceClassification.from_pretrained(directory, num_labels=1)
    model.classifier.load_state_dict(head)
    config = AdaLoraConfig(target_modules=[f"bert.{site}" for site in sites], **settings)
    torch.manual_seed(seed)
    return get_peft_model(model, config).double().eval()


def factors(model):
    """{"site/NAME": value} of every adapter."""
    found = {}
    for name, value in model.named_parameters():
        for theirs, ours in NAMES.items():
            if f".{theirs}.default" in name:
                site = name.removeprefix("base_model.model.bert.").removesuffix(f".{theirs}.default")
                found[f"{site}/{ours}"] = value.detach().clone()
    return found


def train_adalora(model, sequences, labels, batches, step_size, snapshots):
    """Per step the loss without penalty, the penalty and every λ after it; the factors after the steps of `snapshots`."""
    optimizer = torch.optim.AdamW([value for value in model.parameters() if value.requires_grad], lr=step_size,
                                  betas=(0.9, 0.999), eps=1e-6, weight_decay=0.0, foreach=False)
    steps, kept = [], {}
    for step, batch in enumerate(batches):
        output = model.base_model(**pad([sequences[index] for index in batch]), labels=labels[batch])
        loss = mse_loss(output.logits.squeeze(1), labels[batch]).item()
        penalty = output.loss.item() - loss
        output.loss.backward()
        optimizer.step()
        model.base_model.update_and_allocate(step)
        optimizer.zero_grad()
        now = factors(model)
        values = {name.removesuffix("/lambda"): value.squeeze(1).tolist() for name, value in now.items() if name.endswith("/lambda")}
        steps.append({"loss": loss, "penalty": penalty, "lambda": values})
        if step in snapshots:
            kept |= {f"{step}/{name}": value.contiguous() for name, value in now.items()}
    return steps, kept


def budgets(initial, target, matrices, settings):
    """The budget after each step at which PEFT allocates; null at the others."""
    allocator = RankAllocator.__new__(RankAllocator)
    allocator.peft_config = AdaLoraConfig(init_r=initial, target_r=target, **settings)
    allocator.init_bgt, allocator.target_bgt = initial * matrices, target * matrices
    last = settings["total_step"] - settings["tfinal"]
    found = []
    for step in range(settings["total_step"]):
        budget, allocates = allocator.budget_schedule(step)
        found.append(budget if step == last or (step < last and allocates) else None)
    return found
