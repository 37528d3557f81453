"""The word count by owned records and closures, beside rayon and renoir.

One file of 1 GiB of mail-like text; words of more than five letters. Of creel every word is a `String`:
cut by its own operator, or by the caller's closure. rayon counts words that are lent from lines in memory,
and what reading them there takes is shown with it and without; renoir counts in the two ways of its own
examples, with the allocator that these choose.
"""

import measure


def run(bench):
    [path] = bench.mail(1, 1024)
    threads = bench.threads
    owned, peers = bench.example("owned_count"), measure.DATA / "chains/release"
    rayon = [peers / "rayon_count", threads]
    runs = bench.rounds(
        {
            "words": [owned, threads, "words", path],
            "closures": [owned, threads, "closures", path],
            "rayon": [*rayon, "all", path],
            "renoir, by fold": [peers / "renoir_count", threads, "fold", path],
            "renoir, by group": [peers / "renoir_count", threads, "group", path],
        },
        work="owned",
    )
    if "rayon" in runs:
        runs["rayon, lines in memory"] = [
            {"wall": bench.printed([*rayon, "time", path])} for _ in runs["rayon"]
        ]
    named = {"words": "owned words", "closures": "owned words by closures"}
    return [
        bench.line(name, runs, tool, peer, reach=1.0)
        for tool, name in named.items() for peer in runs if peer not in named
    ]
