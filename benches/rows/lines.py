"""Lines of 1 GiB of mail that match a pattern, counted and written, beside ripgrep on as many threads.

What is written is the text of the lines, which creel writes in input order. Both must find as many lines
of as many bytes.
"""

import measure

# A pattern, and why it is here.
PATTERNS = {
    "Message-ID": "a text, in one line of ninety",
    "^From:.*com$": "ends of lines, and a text to search for",
    "[a-z]+[0-9]{3}[a-z]+": "no text to search for",
    "e": "every line matches: counted only, as it would be the whole text",
}


def run(bench):
    files = bench.mail()
    creel = [bench.creel, "-j", bench.threads]
    ripgrep = [measure.TARGET / "tools/bin/rg", "-j", bench.threads, "--no-filename", "--no-config"]
    lines = []
    for pattern in PATTERNS:
        found = f'filter(test("{pattern}"))'
        runs = bench.rounds(
            {
                "creel": [*creel, f"{found} | count", *files],
                "ripgrep": [*ripgrep, "-c", "--include-zero", pattern, *files],
            },
            work=f"lines, {pattern}, counted", may_find_nothing=True,
            agree=lambda out: b"%d" % sum(map(int, out.split())),
        )
        lines.append(bench.line(f"lines with `{pattern}` counted", runs, "creel", "ripgrep", reach=1.2))
        if len(pattern) == 1:
            continue
        runs = bench.rounds(
            {
                "creel": [*creel, "-t", "text", found, *files],
                "ripgrep": [*ripgrep, pattern, *files],
            },
            work=f"lines, {pattern}, written", may_find_nothing=True,
            agree=lambda out: b"%d lines, %d bytes" % (out.count(b"\n"), len(out)),
        )
        lines.append(bench.line(f"the same written", runs, "creel", "ripgrep", reach=1.2))
    return lines
