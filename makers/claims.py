"""Make data/claims.csv: 5,000 motor insurance claims that never happened, one a row.

    python -m makers.claims

The simulator below is the whole truth about the table. Every column follows from those before it,
so that a model that has learned the links can fill in what is missing.
"""

import numpy as np

from makers.common import save_bytes

ROWS = 5000
SEED = 6
REGIONS = {"city": 0.5, "suburb": 0.3, "country": 0.2}  # name: share of the drivers
VEHICLES = ["small", "family", "suv", "van"]
PRICES = [22, 34, 48, 42]  # new, in thousands of dollars, per vehicle
CAUSES = ["collision", "parking", "hail", "theft", "glass"]
EXCESSES = [0, 500, 1000, 1500]  # dollars that the driver pays of each claim


def choose(rng, scores):
    """Return for each row of `scores` (n, k) a column drawn with probabilities softmax(row)."""
    return (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)


def simulate(rng, n):
    """Return {column: array of n values}."""
    age = np.clip(18 + 67 * rng.beta(1.6, 2.2, n), 18, 85).round()
    licensed = np.clip(age - 17.5 - rng.exponential(2.5, n), 0, None).round()
    region = rng.choice(3, n, p=list(REGIONS.values()))  # 0 city, 1 suburb, 2 country
    family = np.exp(-(((age - 42) / 12) ** 2))  # the age at which drivers have children
    country = region == 2
    ones = np.ones(n)
    small, van = 1.2 - family, 1.2 * country - 1.0
    vehicle = choose(rng, np.stack([small, 0.4 + 1.5 * family, country + family, van], axis=1))
    vehicle_age = np.clip(rng.gamma(1.8, 3.2, n) + 3 * (age < 25), 0, 25).round()
    price = np.take(PRICES, vehicle) * np.exp(0.2 * rng.normal(size=n) + 0.004 * (age - 45))
    value = np.maximum(1000 * price * 0.86**vehicle_age, 800)
    distance = (
        np.take([9, 13, 19], region) * np.where(age > 65, 0.6, 1) * (1 + 0.4 * (vehicle == 3))
    )
    distance = 1000 * distance * np.exp(0.3 * rng.normal(size=n))

    risk = np.exp(0.9 * np.exp(-licensed / 4) + 0.02 * (distance / 1000 - 13))  # 1 = average
    claim_free = np.minimum(rng.geometric(np.clip(0.12 * risk, 0.05, 0.9)) - 1, licensed)
    excess = choose(rng, np.stack([-0.5 * ones, ones, 0.4 + value / 5e4, value / 4e4], 1))
    excess = np.take(EXCESSES, excess)
    premium = 260 + 0.021 * value * risk + 190 * risk * 0.95**claim_free - 0.12 * excess
    premium *= np.take([1.15, 1.0, 0.85], region) * np.exp(0.06 * rng.normal(size=n))

    city, newer = region == 0, vehicle_age < 6
    collision, parking, hail = 0.6 + np.log(risk), 0.2 + 0.7 * city, -1.0 + 1.1 * country
    theft, glass = -2.2 + 0.8 * city + 0.5 * newer, -0.4 + 0.02 * distance / 1000
    cause = choose(rng, np.stack([collision, parking, hail, theft, glass], axis=1))
    share = np.take([0.24, 0.07, 0.16, 0.85, 0.03], cause)  # of the vehicle's value
    least = np.take([900, 500, 700, 600, 250], cause)
    spread = np.take([0.7, 0.4, 0.5, 0.15, 0.25], cause)
    damage = (least + share * value) * np.exp(spread * rng.normal(size=n))
    damage = np.minimum(damage, 1.1 * value + 3000)
    days = np.take([6, 3, 9, 2, 1], cause) + np.sqrt(damage) / 9 + 4 * country
    days = np.round(days * np.exp(0.25 * rng.normal(size=n)))
    return {
        "driver_age": age.astype(int),  # years
        "years_licensed": licensed.astype(int),
        "region": np.take(list(REGIONS), region),
        "vehicle": np.take(VEHICLES, vehicle),
        "vehicle_age": vehicle_age.astype(int),  # years
        "vehicle_value": value.round(-2).astype(int),  # dollars
        "annual_distance": distance.round(-2).astype(int),  # kilometres
        "claim_free_years": claim_free.astype(int),
        "excess": excess,  # dollars
        "premium": premium.round().astype(int),  # dollars a year
        "cause": np.take(CAUSES, cause),
        "damage": damage.round().astype(int),  # dollars, before the excess
        "repair_days": days.astype(int),
    }


def main():
    table = simulate(np.random.default_rng(SEED), ROWS)
    rows = [",".join(table)] + [
        ",".join(map(str, row)) for row in zip(*table.values(), strict=True)
    ]
    save_bytes("claims.csv", ("\n".join(rows) + "\n").encode())


if __name__ == "__main__":
    main()
