"""The word count by owned records and closures, beside rayon and renoir.

One file of 1 GiB of mail-like text; words of more than five letters. creel's words are a `String` each, cut
by its own operator or by the caller's closure. rayon counts words that are lent from lines in memory, or
by the same closure; what reading the lines takes is shown with it and without. renoir counts in the two
ways of its own examples, with the allocator that these choose.
"""

import measure


def run(bench):
    [path] = bench.mail(1, 1024)
    threads = bench.threads
    owned, peers = bench.example("owned_count"), measure.DATA / "chains/release"
    rayon, renoir = [peers / "rayon_count", threads], [peers / "renoir_count", threads]
    runs = bench.rounds(
        {
            "words": [owned, threads, "words", path],
            "closures": [owned, threads, "closures", path],
            "rayon": [*rayon, "lent", "all", path],
            "rayon, by closures": [*rayon, "owned", "all", path],
            "renoir, by fold": [*renoir, "fold", path],
            "renoir, by group": [*renoir, "group", path],
        },
        work="owned",
        slow={"closures", "rayon, by closures", "renoir, by group"},
    )
    for how in ("lent", "owned"):
        name = "rayon" if how == "lent" else "rayon, by closures"
        runs[f"{name}, lines given"] = [
            {"wall": bench.printed([*rayon, how, "time", path])} for _ in runs.get(name, [])
        ]
    return [
        bench.line("owned words", runs, "words", "rayon", reach=1.0),
        bench.line("the same", runs, "words", "rayon, lines given", reach=1.0),
        bench.line("the same", runs, "words", "renoir, by fold", reach=1.0),
        bench.line("owned words by closures", runs, "closures", "rayon, by closures", reach=1.0),
        bench.line("the same", runs, "closures", "rayon, by closures, lines given", reach=1.0),
        bench.line("the same", runs, "closures", "renoir, by group", reach=1.0),
    ]
