# The ten commonest words of more than five letters. One thread; length counts bytes in mawk.
{ for (i = 1; i <= NF; i++) if (length($i) > 5) count[$i]++ }
END {
    # A selection of ten, not a sort of a million: awk has none, and a pipe would use a second core.
    for (k = 1; k <= 10; k++) {
        best = ""
        for (word in count)
            if (best == "" || count[word] > count[best] || (count[word] == count[best] && word < best))
                best = word
        if (best == "") break
        printf "[\"%s\",%d]\n", best, count[best]
        delete count[best]
    }
}
