# shellcheck shell=bash
# What images are made of: packages, root trees of Debian suites, Kubernetes; and how one is made of a directory.
k8s_version=1.20.2
k8s_package=1.20.5+really1.20.2-1.1+deb12u1

apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"
}

need() { # need PACKAGE...: install what is missing
    local p missing=()
    for p; do
        [[ $(dpkg-query -W -f '${Status}' "$p" 2>/dev/null) = "install ok installed" ]] || missing+=("$p")
    done
    ((${#missing[@]})) || return 0
    say "installing ${missing[*]}"
    apt-get -qq update >&2
    apt_install "${missing[@]}" </dev/null >"$run/apt.log" 2>&1 ||
        die "could not install ${missing[*]}: see $run/apt.log"
}

debian_mirror() { # the archive that this machine itself uses, or LAB_MIRROR
    local found=${LAB_MIRROR:-}
    [ -n "$found" ] || found=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null |
        sed -nE 's/^URIs: *(\S*debian)\/?$/\1/p; s/^deb (\[[^]]*\] )?(\S*debian)\/? .*/\2/p' | head -n1) || true
    [ -n "$found" ] || die "no Debian archive in /etc/apt/sources.list*: set LAB_MIRROR to its address"
    echo "$found"
}

compile_kubernetes() { # compile_kubernetes WORK_DIR TARGET_DIR
    local mirror apt commands b
    mirror=$(debian_mirror)
    mkdir -p "$1/apt/lists/partial" "$1/apt/cache/archives/partial"
    cd "$1"
    echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm main" >apt/sources.list
    apt=(apt-get -qq "-oDir::Etc::sourcelist=$1/apt/sources.list" -oDir::Etc::sourceparts=/dev/null
        "-oDir::State::lists=$1/apt/lists" "-oDir::Cache=$1/apt/cache" -oAPT::Sandbox::User=root)
    "${apt[@]}" update
    "${apt[@]}" source "kubernetes=$k8s_package"
    cd kubernetes-*/
    # the vendored reflect2 is older than Go 1.18's maps and crashes the API server; Debian's own is not
    rm -rf vendor/github.com/modern-go/reflect2
    cp -r /usr/share/gocode/src/github.com/modern-go/reflect2 vendor/github.com/modern-go/
    mkdir -p .go/src/k8s.io home
    ln -sfn ../../.. .go/src/k8s.io/kubernetes
    export GOPATH=$PWD/.go CGO_ENABLED=0 HOME=$PWD/home KUBE_GIT_VERSION=v$k8s_version GOFLAGS='' GO111MODULE=''
    commands=(kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubeadm kubectl)
    make WHAT="${commands[*]/#/cmd/}"
    for b in "${commands[@]}"; do
        install -m755 "_output/local/bin/linux/amd64/$b" "$2/"
    done
    gcc -static -Os -DVERSION=3.2 -o "$2/pause" build/pause/linux/pause.c
}

build_kubernetes() { # from Debian's source package, which vendors all it needs: about 8 minutes on 2 cores
    local work=$cache/k8s-src new=$cache/k8s.new
    [ -x "$cache/k8s/kubelet" ] && return
    need golang-go golang-github-modern-go-reflect2-dev dpkg-dev rsync jq make gcc libc6-dev
    rm -rf "$work" "$new"
    mkdir -p "$work" "$new"
    say "fetching and building Kubernetes $k8s_version (about 8 minutes, once)"
    # in the background, since `set -e` does not reach into the left side of ||
    compile_kubernetes "$work" "$new" </dev/null >"$cache/k8s-build.log" 2>&1 9>&- &
    wait $! || die "Kubernetes did not build: see $cache/k8s-build.log"
    chmod -R u+w "$work"
    rm -rf "$work" "$cache/k8s"
    mv "$new" "$cache/k8s"
}

rootfs() { # rootfs NAME SUITE PACKAGE,...: $cache/NAME, a minimal tree of that Debian suite with these
    # packages; an archive if NAME ends in .tar, else a directory
    local target=$cache/$1 new=$cache/new.$1 exclude=() d
    [ -e "$target" ] && return
    need mmdebstrap
    for d in man doc locale; do
        exclude+=("--dpkgopt=path-exclude=/usr/share/$d/*")
    done
    say "making $1"
    rm -rf "$new"
    # a mirror's copy of a suite that is not released may be older than its Release file's validity
    mmdebstrap --quiet --variant=minbase --include="$3" "${exclude[@]}" \
        --aptopt='Acquire::Check-Valid-Until "false"' \
        "$2" "$new" "$(debian_mirror)" </dev/null >>"$cache/rootfs.log" 2>&1 ||
        die "could not make $1: see $cache/rootfs.log"
    mv "$new" "$target"
}

unpack() { # unpack NAME DIR: $cache/NAME into DIR
    tar -C "$2" --exclude='./dev/*' -xf "$cache/$1"
}

# An image is built again when its files, its recipe or an image that it holds has changed.
stamp() { # stamp IMAGE "FILE..." [STAMP...]: FILEs are below images/
    local file
    {
        declare -f "build_$1" import
        for file in $2; do
            cat "$here/images/$file"
        done
        echo "$k8s_package ${*:3}"
    } | sha256sum | cut -c1-16
}
stamp_of() { docker image inspect -f '{{index .Config.Labels "lab.stamp"}}' "$1" 2>/dev/null; }

import() { # import NAME STAMP DIR CHANGE...: DIR as the root of image NAME
    local name=$1 dir=$3 change changes=(-c "LABEL lab.stamp=$2") old
    for change in "${@:4}"; do
        changes+=(-c "$change")
    done
    old=$(docker image inspect -f '{{.Id}}' "$name" 2>/dev/null) || old=
    tar -C "$dir" --sort=name --mtime=@0 --exclude='./dev/*' -c . | docker import "${changes[@]}" - "$name" >/dev/null
    [ -z "$old" ] || docker rmi "$old" >/dev/null 2>&1 || true # stays while a container uses it
}
