"""Models and logits for the checks of PEFT's format, by what a check.json says:

    {"model": directory of config.json and model.safetensors (relative: to the directory of check.json),
     "class": "AutoModel" (if missing) | "AutoModelForSequenceClassification" | "AutoModelForCausalLM" | "AutoModelForSeq2SeqLM",
     "tied": whether the head of a decoder is to be its embedding (if missing: as config.json has it),
     "sequences": [{"ids": [...], "type_ids": [...]}, ...],
     "logits": sequences × outputs}

An encoder's logits are head · pooled, with "pooling": "pooler" | "mean" and "head": {"weight": outputs × hidden, "bias": outputs}.
A decoder's are those of each sequence's last token, of every "every"-th entry of the vocabulary (if missing: of all). A sequence of
T5 is {"ids": the source's, "target": what the decoder reads}; its logits are those of the target's last token.
"""

import torch
import transformers
from safetensors.torch import load_file

from reference import pad


def load_base(directory, check):
    """The frozen model, in eval mode."""
    path, kind = directory / check["model"], getattr(transformers, check.get("class", "AutoModel"))
    if not check.get("tied"):
        return kind.from_pretrained(path).eval()
    config = transformers.AutoConfig.from_pretrained(path)
    config.tie_word_embeddings = True
    model = kind.from_config(config)
    state = load_file(path / "model.safetensors")
    state.pop("lm_head.weight", None)
    model.load_state_dict(state, strict=False)
    model.tie_weights()
    return model.eval()


def logits(model, directory, check):
    """The logits of the sequences; `model` may be PEFT's."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    bare = getattr(base, base.base_model_prefix, base)
    if "pooling" in check:
        return encoder_logits(bare, check)
    return decoder_logits(base, bare, directory, check)


def encoder_logits(bare, check):
    dtype = next(bare.parameters()).dtype
    arguments = pad(check["sequences"])
    if "type_vocab_size" not in bare.config.to_dict():
        del arguments["token_type_ids"]
    output = bare(**arguments)
    if check["pooling"] == "pooler":
        pooled = output.pooler_output
    elif check["pooling"] == "mean":
        mask = arguments["attention_mask"].unsqueeze(-1).to(dtype)
        pooled = (output.last_hidden_state * mask).sum(1) / mask.sum(1)
    else:
        raise ValueError(f'pooling is "{check["pooling"]}", not "pooler" or "mean"')
    head = check["head"]
    return pooled @ torch.tensor(head["weight"], dtype=dtype).T + torch.tensor(head["bias"], dtype=dtype)


def decoder_logits(base, bare, directory, check):
    def of(sequence):
        if "target" in sequence:
            return base(input_ids=torch.tensor([sequence["ids"]]), decoder_input_ids=torch.tensor([sequence["target"]])).logits[0]
        return token_logits(base, bare, directory, check, sequence["ids"])
    return torch.stack([of(sequence)[-1, ::check.get("every", 1)] for sequence in check["sequences"]])


def token_logits(base, bare, directory, check, ids):
    """The logits of all tokens of a sequence, tokens × vocabulary. A bare model is given the head of the file."""
    ids = torch.tensor([ids])
    if base is not bare:
        return base(input_ids=ids).logits[0]
    states = bare(input_ids=ids).last_hidden_state[0]
    head = load_file(directory / check["model"] / "model.safetensors")["lm_head.weight"]
    return states @ head.to(states.dtype).T
