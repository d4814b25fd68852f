#!/bin/sh
# Unpack packages of a Debian suite into a folder, for any of its architectures. Nothing is installed
# or configured, nothing outside the folder changes, root is not needed.
#
#   unpack.sh [OPTION...] DIR SUITE ARCH PACKAGE...
#
#   DIR/root   the packages and all that they depend on, libc included
#   DIR/apt    package lists of SUITE; the caller may remove it when it has what it wants
#
#   --without "PACKAGE..."  these count as installed: neither they nor what only they need is unpacked
#   --files "PATTERN..."    only files of the packages themselves that match (as tar --wildcards),
#                           without anything that they depend on
#   --source                upstream's source of the source packages into DIR/source/PACKAGE; Debian's
#                           patches are not applied; ARCH does not matter
#
# The registry is the one that this machine's apt uses already. DIR/root may be unpacked into more than
# once; the last package wins. Exit 1, with the reason, when it cannot be had (no apt, offline, no such
# suite or package); 2 for a call that is not understood.
set -eu
usage() { sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
fail() { echo "unpack: $*" >&2; exit 1; }

without='' files='' kind=deb
while :; do
    case ${1:-} in
        --without) without=${2:-}; shift 2 || usage ;;
        --files) files=${2:-}; shift 2 || usage ;;
        --source) kind='deb-src'; shift ;;
        -*) usage ;;
        *) break ;;
    esac
done
[ $# -ge 4 ] || usage
mkdir -p "$1"
dir=$(cd "$1" && pwd) suite=$2 arch=$3
shift 3
for need in apt-get dpkg-deb; do
    command -v $need >/dev/null || fail "$need is not there: only Debian and its relatives have it"
done

apt=$dir/apt/$suite-$arch-$kind
mkdir -p "$apt/sources" "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/state"
# shellcheck disable=SC2016
site=$(apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' |
    sed -n 's,^\(.*/debian/*\) [a-z]*$,\1,p' | sed 1q)
[ -n "$site" ] || fail "no Debian package source is configured on this machine"
key=
for file in /usr/share/keyrings/debian-archive-keyring.gpg /usr/share/keyrings/debian-archive-keyring.pgp; do
    [ ! -e "$file" ] || key=$file
done
cat > "$apt/sources/unpack.sources" <<S
Types: $kind
URIs: $site
Suites: $suite
Components: main
${key:+Signed-By: $key}
S
# Nothing else counts as installed, so that the closure is whole.
for package in $without; do
    printf 'Package: %s\nStatus: install ok installed\nArchitecture: %s\nMulti-Arch: allowed\nVersion: 99\n\n' \
        "$package" "$arch"
done > "$apt/state/status"

get() {
    apt-get -oDir::Etc::SourceList=/dev/null -oDir::Etc::SourceParts="$apt/sources" \
        -oDir::Etc::Preferences=/dev/null -oDir::Etc::PreferencesParts=/dev/null \
        -oDir::State="$apt/state" -oDir::State::status="$apt/state/status" \
        -oDir::State::Lists="$apt/lists" -oDir::Cache="$apt/cache" \
        -oAPT::Architecture="$arch" -oAPT::Architectures="$arch" -oAPT::Sandbox::User=root \
        -oAPT::Install-Recommends=false -oAcquire::Languages=none -oAcquire::Retries=2 \
        -oDebug::NoLocking=true -qq -y "$@"
}
if [ ! -e "$apt/read" ]; then
    get -oAPT::Update::Error-Mode=any update || fail "the package lists of Debian $suite ($arch) cannot be read"
    : > "$apt/read"
fi

if [ $kind = deb-src ]; then
    for package; do
        mkdir -p "$apt/cache/$package" "$dir/source/$package"
        (cd "$apt/cache/$package" && get --download-only source "$package" >/dev/null) ||
            fail "the source of $package cannot be downloaded"
        tar -x -C "$dir/source/$package" --strip-components=1 --no-same-owner \
            -f "$(ls "$apt/cache/$package"/*.orig.tar.*[!c])" || fail "the source of $package cannot be unpacked"
        rm -rf "$apt/cache/$package"
    done
    exit 0
fi

if [ -n "$files" ]; then
    (cd "$apt/cache/archives" && get download "$@" >/dev/null) || fail "packages cannot be downloaded: $*"
else
    get --download-only install "$@" >/dev/null || fail "packages cannot be downloaded: $*"
fi
mkdir -p "$dir/root"
for deb in "$apt"/cache/archives/*.deb; do
    # shellcheck disable=SC2086
    dpkg-deb --fsys-tarfile "$deb" |
        (set -f && tar -x -C "$dir/root" --keep-directory-symlink --no-same-owner ${files:+--wildcards $files}) ||
        fail "$deb cannot be unpacked"
    rm "$deb"
done
