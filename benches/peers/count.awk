# The ten commonest words of more than five letters. One thread; length counts bytes in mawk.
{ for (i = 1; i <= NF; i++) if (length($i) > 5) count[$i]++ }
END {
    # Ten places kept in order, not a sort of a million: awk has none, and a pipe would use a
    # second core.
    for (word in count) {
        n = count[word]
        if (kept == 10 && (n < count[top[10]] || (n == count[top[10]] && word > top[10]))) continue
        at = kept < 10 ? ++kept : 10
        while (at > 1 && (n > count[top[at - 1]] || (n == count[top[at - 1]] && word < top[at - 1]))) {
            top[at] = top[at - 1]
            at--
        }
        top[at] = word
    }
    for (k = 1; k <= kept; k++) printf "[\"%s\",%d]\n", top[k], count[top[k]]
}
