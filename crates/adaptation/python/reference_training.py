"""Fine-tunes a real encoder in PyTorch, dropout off, and writes what is needed to repeat it elsewhere: step by step the same losses?

    reference_training.py MODEL DATA OUTPUT [--n 64] [--steps 20] [--rank 8] [--step-size 1e-3] [--double]
    reference_training.py MODEL --given INPUT OUTPUT [--double]

MODEL holds config.json, model.safetensors, tokenizer.json; DATA is movieReviewSnippets_GroundTruth.txt (of vaderSentiment's
sdist) or sts-train.csv (STS benchmark). OUTPUT gets training.json and training.safetensors, in the format of the fixtures of
the same names (make_fixtures.py): sequences, labels, batch order, head; losses of LoRA and Deep LoRA, all dense, pooler, mean
squared error, AdamW with a constant step; initial and final factors, METHOD/initial/SITE/NAME. With --given those of INPUT
are used instead of new ones. Reference for correctness, not for speed: ΔW is formed in full at every step.
"""

import argparse
import json
import pathlib
import time

import tokenizers
import torch
from safetensors.torch import load_file, save_file

from reference import all_dense, initial_factors, load_encoder, train

METHODS = {"lora": "lora", "deep-lora-3": "deep-lora"}


def read_examples(path):
    """(text or pair, score) per line: id, rating, sentence; or genre, file, year, id, score, first, second."""
    examples = []
    for line in path.read_bytes().decode("utf-8").splitlines():
        columns = line.split("\t")
        if len(columns) == 3:
            examples.append((columns[2], float(columns[1])))
        else:
            examples.append(((columns[5], columns[6]), float(columns[4])))
    return examples


def draw_task(arguments, rng):
    """Subset, batches (without replacement within an epoch), head and settings, by seed."""
    tokenizer = tokenizers.Tokenizer.from_file(str(arguments.model / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    examples = read_examples(arguments.data)
    chosen = [examples[index] for index in torch.randperm(len(examples), generator=rng)[: arguments.n].tolist()]
    encodings = [tokenizer.encode(*text) if isinstance(text, tuple) else tokenizer.encode(text) for text, _ in chosen]
    batches = []
    while len(batches) < arguments.steps:
        batches += [part.tolist() for part in torch.randperm(arguments.n, generator=rng).split(16)]
    hidden = json.loads((arguments.model / "config.json").read_text())["hidden_size"]
    return {
        "sequences": [{"ids": encoding.ids, "type_ids": encoding.type_ids} for encoding in encodings],
        "labels": [label for _, label in chosen], "batches": batches[: arguments.steps], "step_size": arguments.step_size,
        "rank": arguments.rank, "pooling": "pooler",
        "head": {"weight": (0.02 * torch.randn(1, hidden, generator=rng)).tolist(), "bias": [0.0]}}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path, nargs="?")
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--given", type=pathlib.Path, help="directory of a training.json and training.safetensors to start from")
    parser.add_argument("--n", type=int, default=64)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--step-size", type=float, default=1e-3)
    parser.add_argument("--double", action="store_true", help="float64 instead of float32")
    arguments = parser.parse_args()
    if (arguments.data is None) == (arguments.given is None):
        parser.error("give either DATA or --given INPUT")

    dtype = torch.float64 if arguments.double else torch.float32
    model = load_encoder(arguments.model, dtype)
    rng = torch.Generator().manual_seed(1)
    task = draw_task(arguments, rng) if arguments.data else json.loads((arguments.given / "training.json").read_text())
    given = load_file(arguments.given / "training.safetensors") if arguments.given else {}
    head = {key: torch.tensor(value, dtype=dtype) for key, value in task["head"].items()}
    labels, tensors, methods = torch.tensor(task["labels"], dtype=dtype), {}, {}
    for name, method in METHODS.items():
        start = f"{name}/initial/"
        parameters = {key.removeprefix(start): value for key, value in given.items() if key.startswith(start)}
        if not arguments.given:
            parameters = {f"{site}/{key}": value.float() for site in all_dense(model.config.num_hidden_layers)
                          for key, value in initial_factors(method, model.get_submodule(site).weight.shape, task["rank"], rng).items()}
        began = time.perf_counter()
        losses, final = train(model, head, task["sequences"], labels, task["batches"], parameters, method, task["pooling"], task["step_size"])
        print(f"{name}: {losses[0]:.5f} -> {losses[-1]:.5f} in {time.perf_counter() - began:.0f} s")
        tensors |= {f"{start}{key}": value for key, value in parameters.items()}
        tensors |= {f"{name}/final/{key}": value.float() for key, value in final.items()}
        methods[name] = {"losses": losses}
    arguments.output.mkdir(parents=True, exist_ok=True)
    save_file(tensors, arguments.output / "training.safetensors")
    (arguments.output / "training.json").write_text(json.dumps({**task, "methods": methods}))


if __name__ == "__main__":
    main()
