"""Times the texts of benches/decoder_texts.rs in transformers, on all threads, and compares them.

    ENV/bin/python time_decoder_texts.py DIRECTORY FILE

DIRECTORY has the GGUF file; FILE is JSON: prompts, the texts to compare with (both as ids of tokens), beams, tokens. The prompts are
padded on the left and written behind together.
"""

import json
import pathlib
import sys
import time

import torch
from transformers import AutoModelForCausalLM

RUNS = 3


def main():
    path = next(pathlib.Path(sys.argv[1]).glob("**/*.gguf"))
    prompts, expected, beams, tokens = json.loads(pathlib.Path(sys.argv[2]).read_text())
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()
    # No token ends a text.
    model.generation_config.eos_token_id = None
    longest = max(map(len, prompts))
    ids = torch.tensor([[0] * (longest - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    settings = dict(num_beams=beams, max_new_tokens=tokens, do_sample=False, pad_token_id=0)
    times = []
    with torch.inference_mode():
        for _ in range(RUNS):
            start = time.perf_counter()
            found = model.generate(ids, attention_mask=mask, **settings)
            times.append(time.perf_counter() - start)
    count, times = tokens * len(prompts), sorted(times)
    same = sum(found[i, longest:].tolist() == text for i, text in enumerate(expected))
    print(f"transformers, PyTorch {torch.__version__}, {torch.get_num_threads()} threads: {times[0]:.2f} to {times[-1]:.2f} s, "
          f"{count / times[0]:.1f} tokens/s at best; {same} of {len(prompts)} texts are the same")


if __name__ == "__main__":
    main()
