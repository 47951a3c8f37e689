"""Prints evidence.txt: the evidence of gates as the formula says, to 25 digits, in decimal arithmetic of 60 digits.

    python3 tests/data/gates/evidence.py > tests/data/gates/evidence.txt
"""

from decimal import Decimal, getcontext

getcontext().prec = 60
MILLION = 10**6
WORSE = [Decimal("1.5"), Decimal(2), Decimal(4), Decimal(8)]
BETTER = [Decimal(2) / 3, Decimal("0.5"), Decimal("0.25"), Decimal(0)]
LIMITS = [1, 100, 5_000, 10_000, 50_000, 333_333, 500_000, 900_000, 999_999]
COUNTS = [(0, 0), (0, 1), (1, 1), (2, 2), (1, 2), (0, 391), (7, 391), (76, 1_548), (391, 391), (0, 99_999), (5, 100_000), (1_000, 100_000),
          (5_100, 10_000), (123_456, 1_000_000), (0, 10**12), (10**6, 10**12), (10**10, 10**12), (10**12, 10**12)]


def ln_mean(bad, trials, limit, multipliers):
    limit = Decimal(limit) / MILLION
    # m^0 is 1 even for an m of 0, whose evidence any bad trial makes 0.
    gained = lambda m: bad * m.ln() if bad else 0
    logs = [gained(m) - trials * (1 - limit + m * limit).ln() for m in multipliers if m or not bad]
    largest = max(logs)
    return largest + (sum((log - largest).exp() for log in logs) / len(multipliers)).ln()


print("# limit in ppm, bad, trials, ln of the evidence of failure, ln of the evidence of passing; printed by evidence.py")
for limit in LIMITS:
    for bad, trials in COUNTS:
        fail, passing = (ln_mean(bad, trials, limit, multipliers) for multipliers in (WORSE, BETTER))
        print(limit, bad, trials, f"{fail:.25g}", f"{passing:.25g}")
