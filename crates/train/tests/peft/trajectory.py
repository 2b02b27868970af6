"""Makes `trajectory.json`, which `tests/it/step/parity.rs` is held against.

    python trajectory.py [FOLDER-OF-SMOLLM2-IN-F32]

Run with Python 3.11, torch 2.11.0, transformers 5.23.0, peft 0.21.2 on the CPU, in f32. The tiny models are those of
`fixtures/models`; the argument is a folder that `cargo bench -p train` writes to `target/bench/hf-base`. Without it the
SmolLM2 values are left as they are. Rows, masks and the initial adapter are formulas, written the same way in Rust.
"""

import json
import sys
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

HERE = Path(__file__).parent
MODELS = HERE.parents[3] / "fixtures" / "models"
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
STEPS = 20


def row(at, vocabulary):
    """Ids of the row, and the stretch of them that is learned."""
    length = 11 + 5 * (at % 3)
    ids = [(at * 131 + place * 37 + place * place * 5 + 3) % vocabulary for place in range(length)]
    return ids, 3 + at % 4, length - at % 2


def initial(model):
    """A by a formula, B zero, in the order of PEFT's names by layer and projection."""
    parameters = dict(model.named_parameters())
    count = 0
    for layer in range(model.config.num_hidden_layers):
        for target in TARGETS:
            module = "self_attn" if target[0] in "qkvo" and target[1] == "_" else "mlp"
            name = f"base_model.model.model.layers.{layer}.{module}.{target}.lora_A.default.weight"
            a = parameters[name]
            numbers = torch.arange(a.numel(), dtype=torch.int64) * 7919 + count * 104729
            values = (numbers % 2001 - 1000).double() / 1000 / a.shape[1] ** 0.5
            a.data = values.float().view_as(a)
            count += 1


def trajectory(folder, rank, alpha, rate):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model = get_peft_model(model, LoraConfig(r=rank, lora_alpha=alpha, target_modules=TARGETS, task_type="CAUSAL_LM"))
    initial(model)
    model.train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.01)
    losses, norms = [], []
    for step in range(STEPS):
        rows = [row(step * 2 % 6, model.config.vocab_size), row((step * 2 + 1) % 6, model.config.vocab_size)]
        learned = sum(end - start for _, start, end in rows)
        total = 0.0
        for ids, start, end in rows:
            labels = torch.full((1, len(ids)), -100)
            labels[0, start:end] = torch.tensor(ids[start:end])
            logits = model(input_ids=torch.tensor([ids])).logits
            # Summed over the row and divided by the learned tokens of the step, as transformers does since 2024.
            loss = torch.nn.functional.cross_entropy(logits[0, :-1], labels[0, 1:], reduction="sum") / learned
            loss.backward()
            total += loss.item()
        norms.append(torch.nn.utils.clip_grad_norm_(parameters, 1.0).item())
        for group in optimizer.param_groups:
            group["lr"] = rate * (1 - step / STEPS)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(total)
    return dict(rank=rank, alpha=alpha, rate=rate, losses=losses, norms=norms)


def main():
    path = HERE / "trajectory.json"
    out = json.loads(path.read_text()) if path.exists() else {}
    for name in ["qwen3-tied", "llama-untied"]:
        out[name] = trajectory(MODELS / name, 4, 6, 3e-3)
    if len(sys.argv) > 1:
        out["smollm2"] = trajectory(sys.argv[1], 16, 16, 2e-4)
    path.write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()
