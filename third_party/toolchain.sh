#!/bin/sh
# The private tool chain: a current shader compiler, Vulkan headers, volk, validation layer and CPU
# drivers, unpacked from Debian packages into a folder. Nothing outside the folder changes; root is
# not needed. What is in it and why: README.md beside this file.
#
#   toolchain.sh DIR
#
#   DIR/bin       glslc, spirv-val
#   DIR/include   vulkan/ vk_video/ volk.h volk.c, and nothing that would shadow the machine's libc
#   DIR/root      the unpacked packages, their own libc included; run programs on its drivers with
#                 tests/support/on-driver.sh
#   DIR/done      what was unpacked; a second call with the same list returns at once
#
# Exit 1, with the reason: this machine cannot have it (no apt, offline, no such suite).
set -eu
suite=forky
packages="libc6 glslc spirv-tools libvulkan-dev libvulkan-volk-dev libvulkan1 mesa-vulkan-drivers
vulkan-validationlayers"

[ $# -eq 1 ] || { sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
fail() { echo "toolchain: $*" >&2; exit 1; }

mkdir -p "$1"
dir=$(cd "$1" && pwd)
list="$suite $packages swiftshader"
[ "$(cat "$dir/done" 2>/dev/null)" != "$list" ] || exit 0
for need in apt-get dpkg-deb; do
    command -v $need >/dev/null || fail "$need is not there: only Debian and its relatives have it"
done
(cd "$dir" && rm -rf bin include root apt "done")

# The registry is the one that this machine uses already, asked for another suite.
apt=$dir/apt
mkdir -p "$apt/sources" "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/state"
# shellcheck disable=SC2016
site=$(apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' |
    sed -n 's,^\(.*/debian/*\) [a-z]*$,\1,p' | sed 1q)
[ -n "$site" ] || fail "no Debian package source is configured on this machine"
key=
for file in /usr/share/keyrings/debian-archive-keyring.gpg /usr/share/keyrings/debian-archive-keyring.pgp; do
    [ ! -e "$file" ] || key=$file
done
cat > "$apt/sources/toolchain.sources" <<S
Types: deb
URIs: $site
Suites: $suite
Components: main
${key:+Signed-By: $key}
S
arch=$(dpkg --print-architecture)
# Nothing counts as installed, so that the closure is whole; but libvulkan-dev names a Python that
# only its generators need.
printf 'Package: %s\nStatus: install ok installed\nArchitecture: %s\nMulti-Arch: allowed\nVersion: 99\n\n' \
    python3 "$arch" > "$apt/state/status"

get() {
    apt-get -oDir::Etc::SourceList=/dev/null -oDir::Etc::SourceParts="$apt/sources" \
        -oDir::Etc::Preferences=/dev/null -oDir::Etc::PreferencesParts=/dev/null \
        -oDir::State="$apt/state" -oDir::State::status="$apt/state/status" \
        -oDir::State::Lists="$apt/lists" -oDir::Cache="$apt/cache" \
        -oAPT::Architecture="$arch" -oAPT::Architectures="$arch" -oAPT::Sandbox::User=root \
        -oAPT::Install-Recommends=false -oAcquire::Languages=none -oAcquire::Retries=2 \
        -oDebug::NoLocking=true -qq -y "$@"
}
get -oAPT::Update::Error-Mode=any update || fail "the package lists of Debian $suite cannot be read"
# shellcheck disable=SC2086
get --download-only install $packages >/dev/null || fail "packages cannot be downloaded"

mkdir -p "$dir/root" "$dir/bin" "$dir/include"
for deb in "$apt"/cache/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$dir/root" --keep-directory-symlink --no-same-owner ||
        fail "$deb cannot be unpacked"
done
libs=$(cd "$dir/root" && echo usr/lib/*-linux-gnu)
for tool in glslc spirv-val; do
    cat > "$dir/bin/$tool" <<W
#!/bin/sh
root=\${0%/*}/../root
exec "\$root/$libs"/ld-linux*.so.* --library-path "\$root/$libs" "\$root/usr/bin/$tool" "\$@"
W
    chmod +x "$dir/bin/$tool"
done
for header in vulkan vk_video volk.h volk.c; do
    ln -s "../root/usr/include/$header" "$dir/include/$header"
done

# SwiftShader, a second CPU driver that shares no code with Mesa, comes inside Chromium. Only this
# file of the package is wanted, without its dependencies, and the build works without it.
if (cd "$apt" && get download chromium-common) >/dev/null &&
    dpkg-deb --fsys-tarfile "$apt"/chromium-common_*.deb |
    tar -x -C "$dir/root" --wildcards '*/libvk_swiftshader.so' '*/vk_swiftshader_icd.json'; then
    icd=$(cd "$dir/root" && echo usr/lib/chromium/vk_swiftshader_icd.json)
    mv "$dir/root/$icd" "$dir/root/${icd%/*}/libvk_swiftshader.so" "$dir/root/usr/share/vulkan/icd.d/"
else
    echo "toolchain: SwiftShader cannot be had: its tests are left out" >&2
fi
rm -rf "$apt"
"$dir/bin/glslc" --version >/dev/null || fail "the unpacked compiler does not run here"
echo "$list" > "$dir/done"
