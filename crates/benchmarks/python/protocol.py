"""The worker's side of the pipe: a line of JSON is a question, a line of JSON the answer.

    load      whatever the peer needs: it is handed the question
    evaluate  loss and gradients where the factors start; the gradients go to the file "gradients"
    run       so many "iterations", each with its update; answers the seconds
"""

import json
import os
import sys
import time
import traceback

from safetensors.numpy import load_file, save_file


class Problem:
    """A chain of factors F_n ... F_1 to be fitted to the observed entries of a target by gradient descent.

    loss = weight / 2 * |mask * (F_n ... F_1 - target)|^2, weight = 1 / (number of entries of the target)
    """

    def __init__(self, question):
        tensors = load_file(question["problem"])
        self.target = tensors["target"]
        self.mask = tensors.get("mask")  # None: everything is observed
        self.multipliers = question["multipliers"]
        self.factors = [tensors[f"F{i + 1}"] for i in range(len(self.multipliers))]
        self.moving = [i for i, multiplier in enumerate(self.multipliers) if multiplier > 0]
        self.weight = 1 / self.target.size
        self.steps = [question["step_size"] * multiplier for multiplier in self.multipliers]


def named(gradients):
    """Gradients by place in the chain (a dictionary), under the names of their factors."""
    return {f"F{i + 1}": gradient for i, gradient in gradients.items()}


def threads():
    return int(os.environ["BENCH_THREADS"])


def serve(name, version, make_peer):
    """Answers questions until there are no more."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer

    def answer(content):
        print(json.dumps(content), file=answers, flush=True)

    answer({"name": name, "version": version})
    peer = None
    for line in sys.stdin:
        question = json.loads(line)
        try:
            match question["do"]:
                case "load":
                    peer = None  # the last problem's memory first
                    peer = make_peer(question)
                    answer({})
                case "evaluate":
                    loss, gradients = peer.evaluate()
                    save_file(gradients, question["gradients"])
                    answer({"loss": loss})
                case "run":
                    start = time.perf_counter()
                    peer.run(question["iterations"])
                    answer({"seconds": time.perf_counter() - start})
                case other:
                    raise ValueError(f"asked to {other!r}")
        except Exception as error:
            traceback.print_exc()
            answer({"error": f"{type(error).__name__}: {error}"})
