"""Makes `adamw8bit.st`, which `tests/it/step/adamw8bit.rs` is held against: what bitsandbytes' 8-bit AdamW does.

    python adamw8bit.py

Run with Python 3.11, torch 2.11.0, bitsandbytes 0.50.2, safetensors 0.8.0, on the CPU. The parameter and its gradients are
formulas in f64, written the same way in Rust, and rounded to f32. Saved are both code maps, and the parameter and the
moments after the last step, of two runs:

* `search`: a number gets the nearest code of the map, as its kernel for cards and its code for other devices do.
* `grid`: its kernel for the CPU, which first rounds the number to one of 65,536 points between -1 and 1 of its block's scale.
"""

from pathlib import Path

import bitsandbytes as bnb
import bitsandbytes.functional as functional
import torch
from bitsandbytes.backends.cpu import ops
from safetensors.torch import save_file

HERE = Path(__file__).parent
SHAPE, STEPS = (20, 30), 40
RATE, DECAY = 1e-2, 1e-2


def start(place):
    return torch.sin(place * 1.7)


def gradient(place, step):
    """Waves of many phases, which differ tenfold in size within a block of moments."""
    size = 10.0 ** -((place * 7 % 256) / 256)
    return size * (torch.sin(place * 0.61 + step * 0.83) + 0.5)


def run():
    place = torch.arange(SHAPE[0] * SHAPE[1], dtype=torch.float64).view(SHAPE)
    parameter = torch.nn.Parameter(start(place).float())
    # Small parameters would otherwise keep moments of 32 bits.
    optimizer = bnb.optim.AdamW8bit([parameter], lr=RATE, betas=(0.9, 0.999), eps=1e-8, weight_decay=DECAY, min_8bit_size=1)
    for step in range(1, STEPS + 1):
        parameter.grad = gradient(place, step).float()
        optimizer.step()
    state = optimizer.state[parameter]
    out = {"parameter": parameter.detach()}
    for own, theirs in (("mean", 1), ("variance", 2)):
        out |= {f"{own}.codes": state[f"state{theirs}"].flatten(), f"{own}.scales": state[f"absmax{theirs}"]}
    return out


def search(numbers, code, scales, codes, blocksize):
    """Takes the place of the CPU's kernel."""
    borders = (code[1:] + code[:-1]) / 2
    flat = numbers.flatten()
    for at, block in enumerate(flat.split(blocksize)):
        scales[at] = block.abs().max()
        codes.view(-1)[at * blocksize : at * blocksize + len(block)] = torch.bucketize(block / scales[at], borders)


def main():
    out = {"signed": functional.create_dynamic_map(True), "unsigned": functional.create_dynamic_map(False)}
    out |= {f"grid.{name}": tensor for name, tensor in run().items()}
    ops._quant_blockwise_fp32_direct = search
    out |= {f"search.{name}": tensor for name, tensor in run().items()}
    save_file({name: tensor.contiguous().clone() for name, tensor in out.items()}, HERE / "adamw8bit.st")


main()
