# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/test, scripts/demo and .ci/run: what must be installed, and how it is built.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$repository" || exit 1

# Without these a cached object serves only the checkout that it was compiled in.
export CCACHE_BASEDIR=${CCACHE_BASEDIR:-$repository} CCACHE_NOHASHDIR=${CCACHE_NOHASHDIR:-1}

# Debian 12 packages. This is the one place that lists them.
build_packages=(
    g++ cmake ninja-build ccache pkg-config
    libuv1-dev rapidjson-dev libcli11-dev libspdlog-dev doctest-dev
    libsystemd-dev libsodium-dev libsqlite3-dev libyaml-cpp-dev libexpected-dev
)
run_packages=(python3 socat jq iproute2 nftables util-linux procps mandoc systemd)
check_packages=(clang-format-14 clang-tidy-14)
deb_packages=("${build_packages[@]}" debhelper dh-python dpkg-dev lintian python3)
service_packages=(systemd-container debootstrap)
sanitizer_packages=(clang-14 libclang-rt-14-dev)

say() { printf '\n==> %s\n' "$*"; }

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# install_missing PACKAGE…: installs by apt those that are not there, and touches nothing else.
install_missing() {
    local package status missing=()
    if ! command -v dpkg-query >/dev/null; then
        printf 'This is no Debian; assuming that the equivalents of these are installed: %s\n' "$*" >&2
        return
    fi
    for package in "$@"; do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)
        [ "$status" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return

    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null ||
            fail "these packages are missing, and there is neither root nor sudo to install them. As root, run:
    apt-get install --no-install-recommends ${missing[*]}"
        as_root=(sudo)
    fi
    say "Installing ${missing[*]}"
    "${as_root[@]}" apt-get update -qq ||
        fail "apt-get update failed; missing are: ${missing[*]}"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
        fail "apt-get install failed for: ${missing[*]}"
}

# build PRESET [TARGET…]: configures and builds; the result is in build/PRESET.
build() {
    local preset=$1
    shift
    say "Building ($preset)"
    cmake --preset "$preset" --log-level=WARNING >/dev/null || fail "configuring failed"
    cmake --build --preset "$preset" ${1:+--target "$@"} || fail "building failed"
}
