#!/usr/bin/env python3
"""Makes tests/golden/tabular: tables processed by fastai, embedding sizes, and outputs of its TabularModel.

    python tests/golden/make_tabular.py ADULT.csv [tests/golden]

ADULT.csv is that of fastai's URLs.ADULT_SAMPLE, of which some rows are kept here. Needs fastai and safetensors.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from fastai.tabular.all import (CategoryBlock, Categorify, FillMissing, FillStrategy, Normalize, RandomSplitter,
                                TabularModel, TabularPandas, add_datepart, add_elapsed_times, cont_cat_split, df_shrink,
                                emb_sz_rule, get_emb_sz)
from safetensors.torch import save_file

ADULT = {"cat_names": ["workclass", "education", "marital-status", "occupation", "relationship", "race"],
         "cont_names": ["age", "fnlwgt", "education-num"], "y_names": ["salary"]}

ODD = """id,text,kind,grade,flag,when,long,gap,whole gap,wide,y
0,cat,1,1.5,True,2011-11-01,9007199254740993,1.5,3,1e39,2.5
1,,2,2.5,False,2011-11-02,9007199254740995,,4,2e39,1.5
2,dog,2,,True,2012-02-29,-5,2.5,,3e39,0.25
3,"a, b",3,1.5,True,2011-11-01,7,1.5,3,1e39,-1
4,cat,1,2.5,False,,12,-3,9,-1e39,0
5,only in valid,7,1.5,True,2012-02-29,40000000000,8,1,0,3
6,été,3,9.5,False,2013-01-01,3,,2,5,4
7,dog,,2.5,True,2011-11-02,4,0.5,,6,5
"""
ODD_TEST = """id,text,kind,grade,flag,when,long,gap,whole gap,wide
8,cat,1,2.5,False,2011-11-01,5,,3,1
9,never seen,99,77.5,True,1999-01-01,6,1.5,,2
10,,3,,True,2012-02-29,7,2,4,3
"""
ODD_NAMES = {"cat_names": ["text", "kind", "grade", "flag", "when"], "cont_names": ["long", "gap", "whole gap", "wide"],
             "y_names": ["y"]}
ODD_SPLITS = [[6, 0, 1, 2, 3], [7, 5, 4]]

DATES = ["2011-11-01", "2012-02-29", "2000-01-01", "1999-12-31", "2016-01-03", "2020-12-31", "2021-03-31", "2024-12-30"]


def numbers(values):
    return [None if pd.isna(v) else float(v) for v in values]


def floats(frame):
    """As float32; what does not fit is left out."""
    return [[float(v) if np.isfinite(v) else None for v in row] for row in frame.values.astype(np.float32)]


def plain(value):
    return value.item() if hasattr(value, "item") else value


def processed(to):
    out = {"cat_names": list(to.cat_names), "cont_names": list(to.cont_names),
           "classes": {n: [plain(v) for v in to.classes[n]] for n in to.cat_names},
           "cats": to.cats.values.astype(int).tolist(),
           "conts": floats(to.conts),
           "ys": [plain(v) for v in to.ys.values[:, 0]]}
    if hasattr(to, "means"):
        out["means"] = {k: float(v) for k, v in to.means.items()}
        out["stds"] = {k: float(v) for k, v in to.stds.items()}
    if hasattr(to, "na_dict"):
        out["na_dict"] = {k: float(v) for k, v in to.na_dict.items()}
    out["emb_szs"] = [list(s) for s in get_emb_sz(to)]
    return out


def adult(path):
    df = pd.read_csv(path, skipinitialspace=True).iloc[:300]
    splits = RandomSplitter(seed=42)(range(len(df)))
    to = TabularPandas(df, [Categorify, FillMissing, Normalize], splits=splits, **ADULT)
    out = processed(to)
    out["vocab"] = list(to.vocab)
    return out


def odd():
    from io import StringIO
    df = pd.read_csv(StringIO(ODD))
    cases = {}
    for name, procs in [("median", [Categorify, FillMissing, Normalize]),
                        ("mode", [Normalize, FillMissing(FillStrategy.mode), Categorify]),
                        ("constant", [FillMissing(FillStrategy.constant, add_col=False, fill_vals={"gap": 5, "whole gap": 6}),
                                      Categorify])]:
        # FillMissing appends to the very list that it was given.
        to = TabularPandas(df, procs, splits=ODD_SPLITS, **{k: list(v) for k, v in ODD_NAMES.items()})
        cases[name] = processed(to)
        new = to.new(pd.read_csv(StringIO(ODD_TEST)))
        new.process()
        cases[name]["test"] = {"cats": new.cats.values.astype(int).tolist(),
                               "conts": floats(new.conts)}
    cont, cat = cont_cat_split(df, max_card=5, dep_var="y")
    cases["cont"], cases["cat"] = list(cont), list(cat)
    cases["dtypes"] = {n: str(t) for n, t in df_shrink(df).dtypes.items()}
    cases["udtypes"] = {n: str(t) for n, t in df_shrink(df, int2uint=True).dtypes.items()}
    return cases


def moments(texts):
    """fastai divides nanoseconds, which newer pandas no longer makes of itself."""
    return pd.Series(pd.to_datetime(texts)).astype("datetime64[ns]")


def dates():
    df = add_datepart(pd.DataFrame({"saleDate": moments(DATES + [None])}), "saleDate")
    timed = add_datepart(pd.DataFrame({"at": moments(["2011-11-01 12:30:59", "1969-12-31 23:59:58"])}), "at", time=True)
    events = pd.DataFrame({"store": [1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1],
                           "Date": ["2015-01-05", "2015-01-01", "2015-01-01", "2015-01-02", "2015-01-03", "2015-01-08",
                                    "2015-01-09", "2015-01-10", "2015-01-11", "2015-01-20", "2015-01-21"],
                           "promo": [True, False, False, True, True, False, False, False, True, False, False],
                           "closed": [0, 1, 0, 0, 0, 1, 0, 1, 1, 0, 0]})
    source = events.copy()
    events["Date"] = moments(events["Date"])
    elapsed = add_elapsed_times(events, ["promo", "closed"], "Date", "store")
    return {"dates": DATES, "parts": {c: numbers(df[c]) for c in df}, "timed": {c: numbers(timed[c]) for c in timed},
            "events": source.to_csv(index=False),
            "elapsed": {c: numbers(elapsed[c]) for c in elapsed if c not in ("store", "Date", "promo", "closed")}}


MODELS = {"plain": {"layers": [20, 10]}, "y_range": {"layers": [8], "y_range": [-1.5, 2], "ps": [0.5]},
          "bn_final": {"layers": [6, 5], "bn_final": True, "lin_first": False, "ps": [0.1, 0.2], "embed_p": 0.3},
          "no_bn": {"layers": [7], "use_bn": False, "bn_cont": False}, "no_hidden": {"layers": []}}
EMB_SZS = [(5, 4), (3, 3), (10, 6)]


def models(folder):
    torch.manual_seed(3)
    x_cat = torch.stack([torch.randint(0, n, (16,)) for n, _ in EMB_SZS], 1)
    x_cont = torch.randn(16, 4)
    tensors = {"x_cat": x_cat, "x_cont": x_cont}
    for name, kw in MODELS.items():
        model = TabularModel(EMB_SZS, 4, 3, **kw)
        for p in model.parameters():
            torch.nn.init.uniform_(p, -0.7, 0.7)
        for key, tensor in model.state_dict().items():
            tensors[f"{name}.model.{key}"] = tensor.clone()
        model.eval()
        tensors[f"{name}.eval"] = model(x_cat, x_cont).detach()
        if not kw.get("ps"):
            model.train()
            tensors[f"{name}.train"] = model(x_cat, x_cont).detach()
    save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "models.safetensors")


def main():
    folder = Path(sys.argv[2] if len(sys.argv) > 2 else "tests/golden") / "tabular"
    folder.mkdir(parents=True, exist_ok=True)
    lines = Path(sys.argv[1]).read_text().splitlines(keepends=True)[:301]
    (folder / "adult.csv").write_text("".join(lines))
    (folder / "odd.csv").write_text(ODD)
    (folder / "odd_test.csv").write_text(ODD_TEST)
    golden = {"adult": adult(sys.argv[1]), "odd": odd(), "splits": ODD_SPLITS, "dates": dates(),
              "emb_sz_rule": {str(n): emb_sz_rule(n) for n in [1, 2, 3, 5, 8, 10, 17, 43, 100, 1000, 9999, 100000]}}
    (folder / "tabular.json").write_text(json.dumps(golden) + "\n")
    models(folder)


if __name__ == "__main__":
    main()
