#!/bin/sh
# The table of docs/vendors.md out of the logs of matrix.sh --table: table.sh CHIPS OUT
#
# A line a chip, then one for each chip, kernel and variant; chips of the same lines share them.
set -eu
[ $# -eq 2 ] || { sed -n '2,/^set -eu/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
chips=$(cut -d' ' -f1 "$1")
out=$2
commit=$(git -C "$here" rev-parse --short HEAD 2>/dev/null || echo unknown)
cat <<T
<!-- made by ./dev vendors --table: what follows is not edited -->

## Chips and kernels
One line a chip, at commit $commit: what the planner uses, kernels that were compiled (manifest rows
with their configurations, several of one name where their code differs, all steps of the models that
tests/vendors/check.c names), the largest, the most registers, the least occupancy in the driver's unit,
spills (where not 0, those that tests/vendors/exceptions.txt allows), kernels with dot product and with
matrix instructions in their code. Drivers tell different things: "-" is not told. Numbers move with each
version of Mesa; what is asserted are the bounds of tests/vendors.

| chip | device, driver | planner uses | kernels | most instructions | most registers | least occupancy | spills | dot | matrix | verdict |
|---|---|---|--:|--:|--:|--:|--:|--:|--:|---|
T
for chip in $chips; do
    awk -F'\t' -v chip="$chip" -v word="$(cat "$out/$chip.word")" '
        function told(v) { return v < 0 ? "-" : v }
        BEGIN { ins = regs = occ = spills = -1 }
        /^chip\t/ {
            device = $3
            # of its own devices with a CPU, radv names the CPU of this machine
            sub(/^AMD .*(Processor|CPU|Core).*\(RADV/, "AMD APU (RADV", device)
            sub(/ *$/, "", device)
            device = device ", " $4
            uses = $5
        }
        /refused: / { device = $0; sub(/.*refused: device 0 ./, "", device); sub(/\047:/, ":", device) }
        /^kernel\t/ {
            n++
            if ($6 + 0 > ins) ins = $6 + 0
            if ($7 + 0 > regs) regs = $7 + 0
            if ($8 >= 0 && (occ < 0 || $8 + 0 < occ)) occ = $8 + 0
            if ($9 >= 0) spills = (spills < 0 ? 0 : spills) + $9
            if ($11 ~ /dot/) dots++
            if ($11 ~ /matrix/) matrices++
        }
        END {
            if (word == "skipped") exit
            printf "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", chip, device, uses, n ? n : "", \
                n ? told(ins) : "", n ? told(regs) : "", n ? told(occ) : "", n ? told(spills) : "", \
                n ? dots + 0 : "", n ? matrices + 0 : "", uses == "" ? "refused, as expected" : word
        }' "$out/$chip.log"
done
cat <<'T'

Every kernel and variant that runs on a chip: how many configurations (workgroups, tiles, lengths), the
least and the most of their instructions, registers and occupancy, all their spills, subgroup sizes,
instructions of note. Chips that differ in nothing of that stand together; the configurations one by
one are in build/vendors/out.
T
for chip in $chips; do
    sed -n 's/^kernel\t[^\t]*\t//p' "$out/$chip.log" | LC_ALL=C sort -u | awk -F'\t' '
        function told(a, b) { return b < 0 ? "-" : a == b ? a : a " – " b }
        function flush() {
            if (n)
                printf "| %s | %s | %d | %s | %s | %s | %s | %s | %s |\n", op, variant, n, told(least[4], most[4]), \
                    told(least[5], most[5]), told(least[6], most[6]), told(spills, spills), told(least[8], most[8]), note
            n = 0
        }
        {
            if ($1 != op || $2 != variant) { flush(); op = $1; variant = $2; note = ""; spills = -1 }
            for (i = 4; i <= 8; i++) {
                if (!n || $i + 0 < least[i]) least[i] = $i + 0
                if (!n || $i + 0 > most[i]) most[i] = $i + 0
            }
            if ($7 >= 0) spills = (spills < 0 ? 0 : spills) + $7
            if (!index(note, $9)) note = note $9
            n++
        }
        END { flush() }' > "$out/$chip.rows"
done
for chip in $chips; do
    [ -s "$out/$chip.rows" ] || continue
    same=''
    for other in $chips; do
        cmp -s "$out/$chip.rows" "$out/$other.rows" && same="${same:+$same, }$other"
    done
    [ "${same%%,*}" = "$chip" ] || continue # it stands there already
    printf '\n<details><summary>%s</summary>\n\n' "$same"
    echo '| kernel | variant | configurations | instructions | registers | occupancy | spills | subgroup | |'
    echo '|---|---|--:|--:|--:|--:|--:|--:|---|'
    cat "$out/$chip.rows"
    printf '\n</details>\n'
done
