"""Outcomes as faulty games make them, and as fair ones do, from a named seed."""

import numpy as np


def generator(seed):
    return np.random.Generator(np.random.Philox(seed))


def fair_shuffles(rng, decks, cards):
    rows = np.tile(np.arange(cards, dtype=np.uint8), (decks, 1))
    rng.permuted(rows, axis=1, out=rows)
    return rows


def naive_shuffles(rng, decks, cards):
    """Swaps every card with any card: 52^52 ways over 52! orders."""
    rows = np.tile(np.arange(cards, dtype=np.uint8), (decks, 1))
    every = np.arange(decks)
    for place in range(cards):
        other = rng.integers(0, cards, decks)
        rows[every, place], rows[every, other] = rows[every, other], rows[every, place].copy()
    return rows


def sattolo_shuffles(rng, decks, cards):
    """Swaps every card with a lower one, never with itself: only single cycles come out."""
    rows = np.tile(np.arange(cards, dtype=np.uint8), (decks, 1))
    every = np.arange(decks)
    for place in range(cards - 1, 0, -1):
        other = rng.integers(0, place, decks)
        rows[every, place], rows[every, other] = rows[every, other], rows[every, place].copy()
    return rows


def weighted(rng, weights, count):
    cumulative = np.cumsum(weights)
    return np.searchsorted(cumulative, rng.integers(0, cumulative[-1], count), side="right")[:, np.newaxis]
