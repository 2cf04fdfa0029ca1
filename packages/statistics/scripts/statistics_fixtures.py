"""Writes src/fixtures/scipy.json: what scipy and statsmodels say of small samples.

Needs scipy and statsmodels: `pip install scipy statsmodels`, then `python3 packages/statistics/scripts/statistics_fixtures.py`.
"""

import json
import math
from pathlib import Path

import numpy as np
import scipy
import statsmodels
from scipy import special, stats
from statsmodels.stats.multitest import multipletests

BOOTSTRAP_RESAMPLES = 200_000
TARGET = Path(__file__).parent.parent / "src/fixtures/scipy.json"


def tails():
    for degrees in [1, 2, 3, 4.37, 9, 15.5, 29, 99, 1000]:
        for t in [0, 0.01, 0.3, 1, 2, 4.5, 12, 100]:
            yield {"t": t, "degreesOfFreedom": degrees, "p": 2 * stats.t.sf(t, degrees)}


def critical_values():
    for degrees in [1, 2, 3, 4.37, 9, 15.5, 29, 99, 1000]:
        for confidence in [0.5, 0.8, 0.95, 0.99, 0.999]:
            value = stats.t.isf((1 - confidence) / 2, degrees)
            yield {"confidence": confidence, "degreesOfFreedom": degrees, "value": value}


def mean_interval(values, confidence):
    low, high = stats.t.interval(confidence, len(values) - 1, np.mean(values), stats.sem(values))
    return {
        "values": values,
        "confidence": confidence,
        "mean": np.mean(values),
        "standardDeviation": np.std(values, ddof=1),
        "low": low,
        "high": high,
    }


def difference(result, a, b, confidence):
    interval = result.confidence_interval(confidence)
    return {
        "a": a,
        "b": b,
        "confidence": confidence,
        "statistic": result.statistic,
        "degreesOfFreedom": result.df,
        "p": result.pvalue,
        "low": interval.low,
        "high": interval.high,
    }


def effect(a, b):
    degrees = len(a) + len(b) - 2
    pooled = ((len(a) - 1) * np.var(a, ddof=1) + (len(b) - 1) * np.var(b, ddof=1)) / degrees
    d = (np.mean(a) - np.mean(b)) / math.sqrt(pooled)
    log_correction = special.gammaln(degrees / 2) - special.gammaln((degrees - 1) / 2) - math.log(degrees / 2) / 2
    return {"a": a, "b": b, "cohensD": d, "hedgesG": d * math.exp(log_correction)}


def bootstrap(values, statistic, confidence):
    result = stats.bootstrap(
        (values,),
        getattr(np, statistic),
        confidence_level=confidence,
        n_resamples=BOOTSTRAP_RESAMPLES,
        method="BCa",
        rng=np.random.default_rng(2),
        batch=1000,
    )
    interval = result.confidence_interval
    return {
        "values": values,
        "statistic": statistic,
        "confidence": confidence,
        "low": interval.low,
        "high": interval.high,
    }


def holm(p_values):
    return {"p": p_values, "adjusted": multipletests(p_values, method="holm")[1].tolist()}


def main():
    random = np.random.default_rng(1)
    near = random.normal(0.93, 0.004, 5).round(6).tolist()
    wide = random.normal(0.91, 0.02, 8).round(6).tolist()
    same_size = random.normal(0.925, 0.006, 5).round(6).tolist()
    skewed = random.lognormal(0, 1, 30).round(6).tolist()
    many = random.normal(-40, 10, 60).round(6).tolist()
    two = [0.91, 0.934]
    constant = [0.92, 0.92, 0.92]
    pairs = [(near, wide), (near, same_size), (two, near), (constant, near), (skewed, many), (wide, wide[::-1])]
    fixtures = {
        "scipy": scipy.__version__,
        "statsmodels": statsmodels.__version__,
        "tails": list(tails()),
        "criticalValues": list(critical_values()),
        "meanIntervals": [
            mean_interval(values, confidence)
            for values in [near, wide, skewed, many, two]
            for confidence in [0.9, 0.95, 0.99]
        ],
        "welch": [
            difference(stats.ttest_ind(a, b, equal_var=False), a, b, confidence)
            for a, b in pairs
            for confidence in [0.95, 0.99]
        ],
        "paired": [
            difference(stats.ttest_rel(a, b), a, b, 0.95)
            for a, b in [(near, same_size), (skewed, many[:30]), (two, near[:2])]
        ],
        "effects": [effect(a, b) for a, b in pairs],
        "bootstrap": [
            bootstrap(near, "mean", 0.95),
            bootstrap(wide, "mean", 0.9),
            bootstrap(skewed, "mean", 0.95),
            bootstrap(many, "mean", 0.99),
            bootstrap(skewed, "std", 0.9),
        ],
        "bootstrapResamples": BOOTSTRAP_RESAMPLES,
        "holm": [
            holm([0.01, 0.04, 0.03, 0.005]),
            holm([0.5, 0.5, 0.9, 0.0001, 0.02, 0.02]),
            holm([0.2]),
            holm(random.uniform(0, 0.2, 12).round(6).tolist()),
        ],
    }
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(json.dumps(fixtures, indent=1, default=float) + "\n")


if __name__ == "__main__":
    main()
