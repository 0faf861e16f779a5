# SPDX-License-Identifier: Apache-2.0
# Sourced after scripts/common.sh: Debian roots below a cache folder, made once by debootstrap.

cache=${MESHD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/meshd}

# What a service test needs in its boxes: what our packages depend on, and the tests' tools.
service_root_packages=(
    systemd systemd-sysv dbus iproute2 procps python3 jq socat
    libuv1 libsodium23 libspdlog1.10 libfmt9 libsqlite3-0 libyaml-cpp0.7 libsystemd0
)

# The Debian of the machine, from where it has its own packages.
release() { (. /etc/os-release && printf '%s' "${VERSION_CODENAME:-bookworm}"); }

# made ROOT: whether it is whole. Its recipe is in it: another one makes another root.
made() { [ "$(cat "$1.recipe" 2>/dev/null)" = "$2" ]; }

# run_in_root ROOT FOLDER PLACE COMMAND: COMMAND in it, with FOLDER at PLACE, and ccache's folder at /ccache.
run_in_root() {
    local root=$1 folder=$2 place=$3 ccache=${CCACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/ccache}
    mkdir -p "$root$place" "$root/ccache" "$ccache"
    unshare --mount --propagation private bash -c '
        mount --bind "$2" "$1$3" && mount --bind "$5" "$1/ccache" && mount --bind /dev "$1/dev" &&
        mount -t proc proc "$1/proc" && exec chroot "$1" /usr/bin/env -i HOME=/root LC_ALL=C.UTF-8 \
            PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive sh -c "$4"' \
        run_in_root "$root" "$folder" "$place" "$4" "$ccache"
}

# bootstrap ROOT VARIANT PACKAGES: a fresh Debian.
bootstrap() {
    install_missing debootstrap >&2
    rm -rf "$1" "$1.recipe"
    mkdir -p "$1"
    debootstrap --variant="$2" ${3:+--include="$3"} "$(release)" "$1" >"$1.log" 2>&1 ||
        fail "making $1 failed; all of it: $1.log"
}

# build_root ARCH: prints the path of a root of this machine's architecture that compiles for ARCH.
build_root() {
    local arch=$1 root=$cache/build-$1 list recipe
    # The project's own list, for the other architecture; what is only headers is there once.
    list=$(printf '%s\n' "${build_packages[@]}" | grep -- '-dev$' | grep -Ev '^(rapidjson|libcli11|libexpected|doctest)-dev$' |
        sed "s/\$/:$arch/" | tr '\n' ' ')
    recipe="1 $(release) $list"
    if ! made "$root" "$recipe"; then
        say "Making the build root $root (once)" >&2
        bootstrap "$root" buildd ""
        mkdir -p "$root.empty"
        run_in_root "$root" "$root.empty" /build "dpkg --add-architecture $arch && apt-get update -qq &&
            apt-get install -y -qq --no-install-recommends crossbuild-essential-$arch debhelper dh-python qemu-user-static cmake ninja-build ccache \
                pkg-config:$arch python3 rapidjson-dev libcli11-dev libexpected-dev doctest-dev $list" >>"$root.log" 2>&1 ||
            fail "filling $root failed; all of it: $root.log"
        printf '%s' "$recipe" >"$root.recipe"
    fi
    printf '%s' "$root"
}

service_recipe() { printf '%s' "1 $(release) ${service_root_packages[*]}"; }

# service_root: prints the path of a root that boots, for systemd-nspawn; nothing of ours is in it.
service_root() {
    local root=$cache/service recipe
    recipe=$(service_recipe)
    if ! made "$root" "$recipe"; then
        say "Making the root of the service tests $root (once)" >&2
        bootstrap "$root" minbase "$(IFS=, && echo "${service_root_packages[*]}")"
        printf '%s' "$recipe" >"$root.recipe"
    fi
    printf '%s' "$root"
}
