"""The photographs of data/photos, and what the ImageNet network may call them."""

NAMES = {  # photograph: what the network may call it
    "camera": {"tripod"},
    "cat": {"Egyptian Mau", "tabby cat", "a cat having a striped coat"},
    "china": {"palace"},
    "coffee": {"espresso"},
    "crocodile": {"Nile crocodile"},
    "flower": {"daisy"},
    "goldfish": {"goldfish"},
    "pan": {"frying pan"},
    "panda": {"giant panda"},
    "rocket": {"missile"},
    "screwdriver": {"screwdriver"},
    "tape": {"ruler measuring stick"},
}
PAINTINGS = ["cafe_terrace", "church_auvers", "ejiri", "great_wave", "village_street"]
