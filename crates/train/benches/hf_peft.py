"""HF + PEFT on one row, for `benches/train`: hf_peft.py FOLDER TOKENS on|off STEPS. Prints its figures as JSON.

The model, the adapter, the loss, clipping and AdamW as the usual trainers set them up; one process, one row a step.
"""

import json
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def main(folder, tokens, checkpointing, steps):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.config.use_cache = False
    model = get_peft_model(model, LoraConfig(r=16, lora_alpha=16, target_modules=TARGETS, task_type="CAUSAL_LM"))
    if checkpointing == "on":
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.enable_input_require_grads()
    model.train()
    vocabulary = min(40_000, model.config.vocab_size)
    ids = torch.tensor([[(at * 7919 + at * at * 31 + 17) % vocabulary for at in range(tokens)]])
    labels = ids.clone()
    labels[:, : tokens // 4] = -100
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=2e-4, weight_decay=0.0)
    losses, fastest = [], float("inf")
    for step in range(steps + 1):
        started = time.perf_counter()
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step > 0:
            fastest = min(fastest, time.perf_counter() - started)
        losses.append(loss.item())
    print(json.dumps(dict(tokens_per_second=tokens / fastest, peak_memory_bytes=peak(), losses=losses)))


def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
