#!/bin/sh
# The table of docs/vendors.md out of the logs of matrix.sh --table: table.sh CHIPS OUT
set -eu
cat <<'T'
<!-- made by ./dev vendors --table: what follows is not edited -->

## Chips and kernels
One line a chip: what the planner uses, kernels that were compiled (manifest rows with their
configurations, all steps of the models that tests/vendors/check.c names), the largest and the most
registers, the least occupancy in the driver's unit, spills, kernels with dot product and with matrix
instructions in their code. Drivers tell different things: "-" is not told. Numbers move with each
version of Mesa; what is asserted are the bounds of tests/vendors.

| chip | device, driver | planner uses | kernels | most instructions | most registers | least occupancy | spills | dot | matrix | verdict |
|---|---|---|---|---|---|---|---|---|---|---|
T
cut -d' ' -f1 "$1" | while read -r chip; do
    awk -F'\t' -v chip="$chip" -v word="$(cat "$2/$chip.word")" '
        function told(v) { return v < 0 ? "-" : v }
        BEGIN { ins = regs = occ = spills = -1 }
        /^chip\t/ { device = $3 ", " $4; uses = $5 }
        /refused: / { device = $0; sub(/.*refused: device 0 ./, "", device) }
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
        }' "$2/$chip.log"
done
cat <<'T'

Every kernel of every chip: the op, its row of the manifest with its configuration, instructions,
registers, occupancy, spills, subgroup size, instructions of note.
T
cut -d' ' -f1 "$1" | while read -r chip; do
    grep -q '^kernel' "$2/$chip.log" || continue
    printf '\n<details><summary>%s</summary>\n\n' "$chip"
    echo '| kernel | variant and configuration | instructions | registers | occupancy | spills | subgroup | |'
    echo '|---|---|---|---|---|---|---|---|'
    sed -n 's/^kernel\t//p' "$2/$chip.log" | LC_ALL=C sort -t"$(printf '\t')" -k2,2 -k4,4 -u |
        awk -F'\t' '
            function told(v) { return v < 0 ? "-" : v }
            { printf "| %s | %s | %s | %s | %s | %s | %s | %s |\n", $2, $4, told($5), told($6), told($7), told($8), $9, $10 }'
    printf '\n</details>\n'
done
