# shellcheck shell=bash
# The images, each made when it is needed first, for the engine that runs.
node_image=kindest/node:v$k8s_version
ui_image=joxit/docker-registry-ui
ui_tags=(static 2.6.0 2)

build_registry() { # registry:2, from Debian's docker-registry
    local s d x
    s=$(stamp registry registry/config.yml)
    [ "$(stamp_of registry:2)" = "$s" ] && return
    need busybox-static
    d=$(mktemp -d) x=$(mktemp -d)
    chmod 755 "$x"
    mkdir -p "$d"/{bin,etc/docker/registry,lib64,lib/x86_64-linux-gnu,tmp,var/lib/registry}
    [ -n "$(apt-cache policy docker-registry)" ] || apt-get -qq update >&2
    # unpacked, not installed: the package would start a service of its own
    (cd "$x" && apt-get -qq download -oAPT::Sandbox::User=root docker-registry >/dev/null && dpkg-deb -x docker-registry_*.deb .)
    cp "$x/usr/bin/docker-registry" "$d/bin/registry"
    cp -L /lib64/ld-linux-x86-64.so.2 "$d/lib64/"
    cp -L /lib/x86_64-linux-gnu/libc.so.6 "$d/lib/x86_64-linux-gnu/"
    cp /bin/busybox "$d/bin/sh"
    cp "$here/images/registry/config.yml" "$d/etc/docker/registry/"
    import registry:2 "$s" "$d" 'ENTRYPOINT ["/bin/registry"]' 'CMD ["serve","/etc/docker/registry/config.yml"]' \
        'EXPOSE 5000/tcp' 'VOLUME ["/var/lib/registry"]'
    rm -rf "$d" "$x"
}

build_ui() { # joxit/docker-registry-ui, 1.5.4 and 2.6.0: a small page with the same contract on Debian's nginx
    local s d
    s=$(stamp ui "ui/entrypoint ui/index.html ui/docker-registry-ui.js ui/default.conf")
    [ "$(stamp_of $ui_image:2.6.0)" = "$s" ] && return
    rootfs nginx.tar bookworm nginx-light
    d=$(mktemp -d)
    unpack nginx.tar "$d"
    rm -f "$d/etc/nginx/sites-enabled/default"
    cp "$here/images/ui/entrypoint" "$d/"
    cp "$here"/images/ui/{index.html,docker-registry-ui.js} "$d/usr/share/nginx/html/"
    cp "$here/images/ui/default.conf" "$d/etc/nginx/conf.d/"
    import $ui_image:static "$s" "$d" 'ENTRYPOINT ["/entrypoint"]' 'EXPOSE 80/tcp' 'ENV LAB_UI_VERSION=1.5.4'
    import $ui_image:2.6.0 "$s" "$d" 'ENTRYPOINT ["/entrypoint"]' 'EXPOSE 80/tcp' 'ENV LAB_UI_VERSION=2.6.0'
    docker tag $ui_image:2.6.0 $ui_image:2
    rm -rf "$d"
}

build_demo() { # lab/demo:1, a 2 MB image to push and run
    local s d a
    s=$(stamp demo "")
    [ "$(stamp_of lab/demo:1)" = "$s" ] && return
    need busybox-static
    d=$(mktemp -d)
    mkdir -p "$d/bin" "$d/www"
    cp /bin/busybox "$d/bin/"
    for a in sh httpd sleep cat wget; do
        ln -s busybox "$d/bin/$a"
    done
    echo demo >"$d/www/index.html"
    import lab/demo:1 "$s" "$d" 'CMD ["/bin/httpd","-f","-p","80","-h","/www"]'
    rm -rf "$d"
}

build_node() { # kindest/node: containerd, Kubernetes, etcd and nginx on Debian
    local s d p pause=registry.k8s.io/pause:3.2 services="service/keep service/systemctl"
    s=$(stamp node "$services node/entrypoint node/ingress node/ingress.jq node/containerd.toml" "$(stamp_of $ui_image:2.6.0)")
    [ "$(stamp_of $node_image)" = "$s" ] && return
    build_kubernetes
    rootfs node.tar bookworm containerd,runc,iptables,iproute2,mount,util-linux,procps,etcd-server,etcd-client,containernetworking-plugins,conntrack,ca-certificates,kmod,socat,ebtables,ethtool,curl,nginx-light,jq,openssl
    say "making $node_image"
    d=$(mktemp -d) p=$(mktemp -d)
    unpack node.tar "$d"
    install -m755 "$cache"/k8s/kube* "$d/usr/local/bin/"
    install -m755 "$cache/k8s/pause" "$p/"
    import $pause "$s" "$p" 'ENTRYPOINT ["/pause"]'
    mkdir -p "$d/kind/images" "$d/etc/containerd" "$d/etc/cni/net.d"
    docker save $pause -o "$d/kind/images/pause.tar"
    docker save "${ui_tags[@]/#/$ui_image:}" -o "$d/kind/images/ui.tar"
    install -m755 "$here"/images/node/{entrypoint,ingress} "$here/images/service/keep" "$d/usr/local/bin/"
    install -m755 "$here/images/service/systemctl" "$d/usr/bin/"
    cp "$here/images/node/ingress.jq" "$d/usr/local/lib/"
    cp "$here/images/node/containerd.toml" "$d/etc/containerd/config.toml"
    echo "v$k8s_version" >"$d/kind/version"
    import $node_image "$s" "$d" 'ENTRYPOINT ["/usr/local/bin/entrypoint"]' 'ENV container=docker'
    rm -rf "$d" "$p"
}

declare -A containerd_suites=([1.6]=bookworm [1.7]=trixie [2.1]=forky)

build_bare() { # build_bare VERSION: lab/bare:VERSION, containerd of that Debian suite and what kind's nodes have around it
    local s d
    s=$(stamp bare "service/keep service/systemctl bare/entrypoint")
    [ "$(stamp_of "lab/bare:$1")" = "$s" ] && return
    rootfs "bare-$1.tar" "${containerd_suites[$1]}" containerd,runc,mount,procps
    d=$(mktemp -d)
    unpack "bare-$1.tar" "$d"
    mkdir -p "$d/etc/containerd"
    install -m755 "$here/images/bare/entrypoint" "$here/images/service/keep" "$d/usr/local/bin/"
    install -m755 "$here/images/service/systemctl" "$d/usr/bin/"
    import "lab/bare:$1" "$s" "$d" 'ENTRYPOINT ["/usr/local/bin/entrypoint"]' 'ENV container=docker'
    rm -rf "$d"
}

build_workstation() { # a developer's machine: systemd as PID 1, a user session, the docker and kubectl clients
    local s d
    s=$(stamp workstation workstation/first-boot)
    [ "$(stamp_of lab/workstation:1)" = "$s" ] && return
    build_kubernetes
    rootfs workstation.tar bookworm systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,procps,curl,libcurl4,libjansson4,libyaml-0-2,libuv1,libsystemd0,libarchive13,docker.io,ca-certificates,jq,man-db
    say "making lab/workstation:1"
    d=$(mktemp -d)
    unpack workstation.tar "$d"
    install -m755 "$cache/k8s/kubectl" "$d/usr/local/bin/"
    rm -f "$d"/etc/systemd/system/*.wants/{docker,containerd}.*
    install -m755 "$here/images/workstation/first-boot" "$d/usr/local/bin/"
    import lab/workstation:1 "$s" "$d" 'ENTRYPOINT ["/sbin/init"]' 'ENV container=docker'
    rm -rf "$d"
}

cluster_images() {
    engine_start
    build_demo
    build_registry
    build_ui
    build_node
}
bare_images() { # bare_images VERSION...
    local version
    engine_start
    build_demo
    build_registry
    for version; do
        build_bare "$version"
    done
}
workstation_image() {
    engine_start
    build_workstation
}
every_image() {
    engine_trees newer podman
    cluster_images
    bare_images "${!containerd_suites[@]}"
    workstation_image
    say "images are ready"
}
cmd_build() { locked every_image; }
