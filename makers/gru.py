"""Make data/gru_austen.safetensors: the recurrent rival of lecture 3's GPT, trained as long as it.

    python -m makers.gru            (about eight minutes on one idle core)

It is trained by the same function as the GPT's checkpoint (makers/gpt.py), at the same highest
rate; the number of steps takes about the same time on a CPU.
"""

from makers.gpt import train

SETTINGS = {"steps": 4500, "rate": 0.02, "epochs": 45}


if __name__ == "__main__":
    train("gru_austen.safetensors", "recurrent", SETTINGS)
