#!/bin/sh
# The report of `ternvk kernels` in a browser: that it is laid out, that its numbers are where the axes
# say, and that it loads nothing.
#
#   test_report.sh TERNVK SOURCE WORK
#
# TVK_BROWSER, chromium or google-chrome, headless; skips, loudly, without one. report.js measures the
# page from inside and writes its verdict into it.
set -u
ternvk=$1 source=$2 work=$3
here=$source/tests/e2e
for browser in "${TVK_BROWSER:-}" chromium chromium-browser google-chrome; do
    [ -z "$browser" ] || ! command -v "$browser" >/dev/null || break
    browser=
done
if [ -z "$browser" ]; then
    echo "SKIPPED: no browser (TVK_BROWSER, chromium, google-chrome): THE REPORT WAS NOT LOOKED AT"
    exit 77
fi
rm -rf "$work"
mkdir -p "$work"
cd "$work" || exit 1
"$ternvk" kernels --report report.html "$here/kernels/first.json" "$here/kernels/second.json" || exit 1

# The page as it is, but for one script that its policy then allows and that runs before all else.
sed "s/default-src 'none'; /default-src 'none'; script-src 'unsafe-inline'; /" report.html |
    awk -v script="$here/report.js" '
        /<meta charset/ && !done {
            at = index($0, "<meta name=\"viewport\"")
            print substr($0, 1, at - 1) "<script>"
            while ((getline line < script) > 0) print line
            print "</script>" substr($0, at)
            done = 1
            next
        }
        { print }' >measured.html

failed=0
look() { # look PAGE NAME OPTIONS...: NAME.dom is the page as the browser has it
    page=$1 name=$2
    shift 2
    timeout 60 "$browser" --headless --no-sandbox --disable-gpu --hide-scrollbars --no-first-run \
        --disable-background-networking --user-data-dir="$work/profile" --window-size=1240,1000 "$@" \
        --dump-dom "file://$work/$page" >"$name.dom" 2>"$name.err"
}
right() { # right NAME OPTIONS...
    look measured.html "$@"
    if grep -q '<pre id="verdict">right' "$1.dom"; then
        echo "$1: right"
        return
    fi
    failed=1
    echo "$1: wrong, or not looked at to the end:"
    sed -n '/<pre id="verdict">/,/<\/pre>/p' "$1.dom"
    tail -3 "$1.err"
}
right light
right dark --force-dark-mode --blink-settings=preferredColorScheme=0
right narrow --window-size=500,1000

# What the measuring is worth: pages that load something, whose points stand elsewhere, without charts.
notices() { # notices NAME WORDS SED
    sed "$3" measured.html >"$1.html"
    look "$1.html" "$1"
    if grep -q '<pre id="verdict">wrong' "$1.dom" && grep -q "$2" "$1.dom"; then
        echo "$1: noticed"
    else
        failed=1
        echo "$1: '$2' was not noticed"
    fi
}
notices loads 'refused to load' 's,<main>,<main><img src="other.png" alt="">,'
notices moved 'stands at' 's,translate(\([0-9]*\)[.0-9]* ,translate(2\1 ,'
notices lost 'charts expected' 's,<svg ,<g ,'
exit $failed
