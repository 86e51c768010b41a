#!/usr/bin/env python3
"""Makes tests/golden/collab_ranking: metrics of rankings, EASE and iALS, each written out plainly in numpy.

    python tests/golden/make_ranking.py [tests/golden]

Needs numpy and scikit-learn, whose ndcg_score checks the one that is written here.
"""

import json
import sys
from pathlib import Path

import numpy as np
from sklearn.metrics import ndcg_score

KS = [1, 3, 5, 10]


def ratings(rng, n_users, n_items, n):
    """User, item, rating, a row each; some items are had by many. No pair comes twice."""
    weights = 1 / np.arange(1, n_items + 1) ** 0.7
    pairs = {(i % n_users, i % n_items): 3.0 for i in range(max(n_users, n_items))}
    while len(pairs) < n:
        user, item = int(rng.integers(n_users)), int(rng.choice(n_items, p=weights / weights.sum()))
        # Two tastes: users and items of the same parity go together.
        if (user + item) % 2 == 0 or rng.random() < 0.3:
            pairs.setdefault((user, item), int(rng.integers(1, 11)) / 2)
    return [[user, item, value] for (user, item), value in pairs.items()]


def dense(rows, n_users, n_items):
    x = np.zeros((n_users, n_items))
    for user, item, value in rows:
        x[user, item] = value
    return x


def ranked(scores, known):
    """Items that are not known, best first; of equal ones the first."""
    return sorted((i for i in range(len(scores)) if i not in known), key=lambda i: (-scores[i], i))


def user_metrics(order, relevant, k):
    hits = [1 if i in relevant else 0 for i in order[:k]]
    dcg = sum(h / np.log2(place + 2) for place, h in enumerate(hits))
    best = sum(1 / np.log2(place + 2) for place in range(min(k, len(relevant))))
    precisions = [sum(hits[:place + 1]) / (place + 1) for place in range(len(hits)) if hits[place]]
    return {"precision": sum(hits) / k, "recall": sum(hits) / len(relevant), "ndcg": dcg / best,
            "map": sum(precisions) / min(k, len(relevant))}


def metrics(scores, train, test, min_rating=0):
    out, users = {}, 0
    for user in range(len(scores)):
        known = {i for u, i, _ in train if u == user}
        relevant = {i for u, i, value in test if u == user and value >= min_rating} - known
        if not relevant:
            continue
        users += 1
        order = ranked(scores[user], known)
        for k in KS:
            found = user_metrics(order, relevant, k)
            if k <= len(order):
                truth = [[1 if i in relevant else 0 for i in order]]
                expected = ndcg_score(truth, [[-place for place in range(len(order))]], k=k)
                assert abs(expected - found["ndcg"]) < 1e-12
            for name, value in found.items():
                out.setdefault(str(k), {}).setdefault(name, []).append(value)
    return {"n_users": users, "at": {k: {n: float(np.mean(v)) for n, v in m.items()} for k, m in out.items()}}


def ease(x, l2):
    p = np.linalg.inv(x.T @ x + l2 * np.eye(x.shape[1]))
    b = -p / np.diag(p)
    np.fill_diagonal(b, 0)
    similar = -p / np.sqrt(np.outer(np.diag(p), np.diag(p)))
    return b, similar


def ials_solve(x, factors, l2, alpha, frequency):
    """x: rows by columns; the confidence of a pair is its value."""
    d = factors.shape[1]
    out = np.zeros((x.shape[0], d))
    for row in range(x.shape[0]):
        a, b = alpha * factors.T @ factors, np.zeros(d)
        for column in np.nonzero(x[row])[0]:
            a += x[row, column] * np.outer(factors[column], factors[column])
            b += x[row, column] * factors[column]
        weight = x[row].sum() + alpha * x.shape[1]
        if b.any():
            out[row] = np.linalg.solve(a + l2 * weight ** frequency * np.eye(d), b)
    return out


def ials(x, init, iterations, **settings):
    items = init
    for _ in range(iterations):
        users = ials_solve(x, items, **settings)
        items = ials_solve(x.T, users, **settings)
    return items, ials_solve(x, items, **settings) @ items.T


def biases(rows, n_users, n_items, item_shrink, user_shrink):
    mean = np.mean([r for _, _, r in rows])
    item, user = np.zeros(n_items), np.zeros(n_users)
    for i in range(n_items):
        left = [r - mean for _, j, r in rows if j == i]
        item[i] = sum(left) / (len(left) + item_shrink)
    for u in range(n_users):
        left = [r - mean - item[i] for v, i, r in rows if v == u]
        user[u] = sum(left) / (len(left) + user_shrink)
    return {"mean": mean, "users": user.tolist(), "items": item.tolist()}


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "tests/golden") / "collab_ranking"
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(5)
    out = {}
    # More users than items, and fewer.
    for name, (n_users, n_items, n) in {"tall": (24, 12, 110), "wide": (10, 25, 90)}.items():
        rows = ratings(rng, n_users, n_items, n)
        test = [bool(b) for b in rng.random(n) < 0.3]
        train_rows = [r for r, t in zip(rows, test) if not t]
        test_rows = [r for r, t in zip(rows, test) if t]
        x = dense(train_rows, n_users, n_items)
        # Coarse, so that some are equal.
        scores = np.round(rng.normal(size=(n_users, n_items)), 1)
        case = {"n_users": n_users, "n_items": n_items, "rows": rows, "test": test, "scores": scores.tolist(),
                "metrics": metrics(scores, train_rows, test_rows), "liked": metrics(scores, train_rows, test_rows, 3),
                "biases": biases(train_rows, n_users, n_items, 25, 10)}
        counts = np.tile((x > 0).sum(0), (n_users, 1))
        case["popularity"] = metrics(counts, train_rows, test_rows)
        case["bias_only"] = metrics(np.tile(case["biases"]["items"], (n_users, 1)), train_rows, test_rows)
        b, similar = ease(x, 4.0)
        case["ease"] = {"l2": 4.0, "b": b.tolist(), "similar": similar.tolist(), "scores": (x @ b).tolist()}
        init = rng.normal(scale=0.3, size=(n_items, 4)).round(4)
        case["ials"] = []
        for settings in [{"l2": 0.05, "alpha": 0.5, "frequency": 1.0}, {"l2": 0.8, "alpha": 0.1, "frequency": 0.5}]:
            items, said = ials(x, init, 3, **settings)
            case["ials"].append({**settings, "init": init.tolist(), "iterations": 3, "items": items.tolist(),
                                 "scores": said.tolist()})
        out[name] = case
    text = json.dumps(out, separators=(",", ":"), default=float)
    (folder / "ranking.json").write_text(json.dumps(json.loads(text, parse_float=lambda v: float(f"{float(v):.9g}")),
                                                    separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
