"""Loads an adapter with PEFT and holds its logits against ours: check.py BASE ADAPTER LOGITS.safetensors.

Exits with 1 when any logit is 1e-4 or more away, relative to the largest.
"""

import sys

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM


def main(base, adapter, ours):
    ours = load_file(ours)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model = PeftModel.from_pretrained(model, adapter).eval()
    with torch.no_grad():
        adapted = model(input_ids=ours["ids"]).logits
        with model.disable_adapter():
            plain = model(input_ids=ours["ids"]).logits
    largest = adapted.abs().max().item()
    away = (adapted - ours["logits"]).abs().max().item() / largest
    moved = (adapted - plain).abs().max().item() / largest
    print(f"largest difference {away:.2e} of the largest logit; the adapter itself moves {moved:.2e}")
    # An adapter that does nothing would agree with anything.
    return 0 if away < 1e-4 < moved else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
