#!/usr/bin/env python3
"""Makes tests/golden/collab: ratings processed by fastai, and its two models with outputs, gradients and ten steps of training.

    python tests/golden/make_collab.py [tests/golden]

The ratings are made up. Needs fastai and safetensors.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from fastai.collab import CollabDataLoaders, EmbeddingDotBias, EmbeddingNN
from fastai.optimizer import Adam
from fastai.tabular.all import MSELossFlat, get_emb_sz
from safetensors.torch import save_file

Y_RANGE = (0.5, 5.5)


def tables(folder):
    rng = np.random.default_rng(5)
    movies = pd.DataFrame({"movieId": range(1, 31), "title": [f"Film {chr(90 - i % 26)}, The ({1970 + i})" for i in range(30)],
                           "genres": "Drama"})
    movies.loc[4, "title"] = movies.loc[9, "title"] = "Emma (1996)"  # two films of one title
    pairs = [(u, m) for u in range(101, 126) for m in range(1, 31)]
    chosen = [pairs[i] for i in rng.permutation(len(pairs))[:300]]
    ratings = pd.DataFrame(chosen, columns=["userId", "movieId"])
    ratings["rating"] = rng.integers(1, 11, len(ratings)) / 2
    ratings["timestamp"] = range(len(ratings))
    ratings.loc[[3, 250], "userId"] = [900, 901]  # seen once each
    ratings.to_csv(folder / "ratings.csv", index=False)
    movies.to_csv(folder / "movies.csv", index=False)
    return ratings, movies


def processed(dls, user, item):
    out = {"classes": {n: [v.item() if hasattr(v, "item") else v for v in dls.classes[n]] for n in (user, item)},
           "emb_szs": [list(s) for s in get_emb_sz(dls)]}
    for name, ds in (("train", dls.train_ds), ("valid", dls.valid_ds)):
        out[name] = {"rows": [int(i) for i in ds.items.index],
                     "codes": ds.items[[user, item]].values.astype(int).tolist(),
                     "ys": [float(v) for v in ds.items["rating"]]}
    return out


def models(folder):
    torch.manual_seed(3)
    n_users, n_items, n_factors = 12, 17, 5
    x = torch.stack([torch.randint(0, n_users, (64,)), torch.randint(0, n_items, (64,))], 1)
    y = torch.randint(1, 11, (64, 1)) / 2
    tensors = {"x": x, "y": y}
    made = {"dot": lambda: EmbeddingDotBias(n_factors, n_users, n_items, y_range=Y_RANGE),
            "dot_free": lambda: EmbeddingDotBias(n_factors, n_users, n_items),
            "nn": lambda: EmbeddingNN([(n_users, 4), (n_items, 6)], [8], y_range=Y_RANGE)}
    for name, make in made.items():
        torch.manual_seed(7)
        model = make()
        if name == "dot":
            for key, tensor in model.state_dict().items():
                tensors[f"{name}.init.{key}"] = tensor.clone()
        for p in model.parameters():
            torch.nn.init.uniform_(p, -0.7, 0.7)
        for key, tensor in model.state_dict().items():
            tensors[f"{name}.model.{key}"] = tensor.clone()
        call = (lambda: model(x)) if name != "nn" else (lambda: model(x, torch.empty(64, 0)))
        model.eval()
        tensors[f"{name}.eval"] = call().detach()
        model.train()
        loss_func, opt = MSELossFlat(), Adam(model.parameters(), lr=5e-3, wd=0.1)
        losses = []
        for step in range(10):
            loss = loss_func(call(), y)
            loss.backward()
            if step == 0:
                for key, p in model.named_parameters():
                    if p.grad is not None:  # the batch norm of no numbers has none
                        tensors[f"{name}.grad.{key}"] = p.grad.clone()
            opt.step()
            opt.zero_grad()
            losses.append(loss.item())
        tensors[f"{name}.losses"] = torch.tensor(losses)
    factors = torch.randn(20, 6)
    tensors["factors"], tensors["pca"] = factors, factors.pca(3)
    save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "models.safetensors")


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "tests/golden") / "collab"
    folder.mkdir(parents=True, exist_ok=True)
    ratings, movies = tables(folder)
    by_title = ratings.merge(movies[["movieId", "title"]])
    golden = {"ids": processed(CollabDataLoaders.from_df(ratings, seed=42), "userId", "movieId"),
              "titles": processed(CollabDataLoaders.from_df(by_title, item_name="title", rating_name="rating", seed=42), "userId", "title")}
    (folder / "collab.json").write_text(json.dumps(golden) + "\n")
    models(folder)


if __name__ == "__main__":
    main()
