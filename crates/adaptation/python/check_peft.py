"""Loads exported adapters into the real PEFT on transformers' models and compares the logits with ours.

    check_peft.py DIRECTORY...        (just check-peft exports some and runs this)

Each DIRECTORY holds adapter_model.safetensors and adapter_config.json, as PEFT reads them, and our check.json, which
peft_models.py explains.

PEFT only warns of what it does not understand, and then drops it; here everything it warns of is an error: a tensor that is
missing or left over, an unknown key. So is an adapter that hardly changes the logits: it would prove nothing. Exit code 0
if every directory passes, 1 if not.
"""

import json
import pathlib
import sys
import warnings

import torch
from peft import PeftModel
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file
from transformers.utils import logging

from peft_models import load_base, logits

TOLERANCE = 1e-4
"""Largest difference of a logit."""
EFFECT = 100 * TOLERANCE
"""An adapter must change some logit by this much."""


class Failed(Exception):
    """What is wrong with a directory."""


def load_adapter(model, directory):
    """The PEFT model, if PEFT took every tensor and key as it is."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        adapted = PeftModel.from_pretrained(model, directory).eval()
    complaints = [str(each.message) for each in caught if not issubclass(each.category, (DeprecationWarning, FutureWarning))]
    # That the two uses of a tied weight are adapted each by itself is meant, where it is so.
    complaints = [text for text in complaints if "deprecated" not in text and "`ensure_weight_tying` is not set" not in text]
    if complaints:
        raise Failed("PEFT warns: " + " / ".join(complaints))
    given, taken = load_file(directory / "adapter_model.safetensors"), get_peft_model_state_dict(adapted, save_embedding_layers=False)
    if given.keys() != taken.keys():
        raise Failed(f"tensors PEFT did not take: {sorted(given.keys() - taken.keys())}; that it misses: {sorted(taken.keys() - given.keys())}")
    changed = [name for name in given if not torch.equal(given[name].float(), taken[name])]
    if changed:
        raise Failed(f"tensors PEFT holds with other values: {changed}")
    return adapted, len(given)


def check_directory(directory):
    """One line of what was found."""
    check = json.loads((directory / "check.json").read_text())
    ours = torch.tensor(check["logits"])
    with_base = load_base(directory, check)
    with torch.no_grad():
        base = logits(with_base, directory, check)
        adapted, tensors = load_adapter(with_base, directory)
        theirs = logits(adapted, directory, check)
    if ours.shape != theirs.shape:
        raise Failed(f"logits of shape {tuple(ours.shape)}, PEFT gives {tuple(theirs.shape)}")
    difference, effect = (theirs - ours).abs().max().item(), (theirs - base).abs().max().item()
    found = f"{tensors} tensors, logits differ by {difference:.1e}, the adapter changes them by {effect:.1e}"
    if not effect >= EFFECT:
        raise Failed(f"{found}: less than {EFFECT:.0e}, so that equal logits would prove nothing")
    if not difference <= TOLERANCE:
        raise Failed(f"{found}: allowed are {TOLERANCE:.0e}")
    return found


def main():
    directories = [pathlib.Path(argument).resolve() for argument in sys.argv[1:]]
    if not directories:
        sys.exit("usage: check_peft.py DIRECTORY...")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    failures = 0
    for directory in directories:
        try:
            print(f"ok      {directory.name}: {check_directory(directory)}")
        except (Failed, OSError, KeyError, ValueError, RuntimeError) as error:
            failures += 1
            print(f"FAILED  {directory.name}: {error!r}" if not isinstance(error, Failed) else f"FAILED  {directory.name}: {error}")
    print(f"{len(directories) - failures} of {len(directories)} passed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
