# shellcheck shell=bash
# The engines: Debian 12's Docker, Docker of Debian's next release, and podman of that. One runs at a time, each at
# the same socket and in the same network; each has its data, and so its images and containers, to itself.
engine_pid=$run/engine.pid
docker_options=(--host "unix://$sock" --exec-root "$run/exec" --pidfile "$engine_pid")

# "${enter[@]}" TREE|"" CMD... runs CMD in the lab's network and in a mount namespace that gives nothing back: what
# an archive request mounts for a moment would stay in the nodes. With a TREE, its /usr takes the place of the
# machine's there, so that CMD and all that it starts are TREE's programs, while every other path is the machine's:
# a path that a container mounts means the same to every engine.
# shellcheck disable=SC2016 # expanded by the inner shell
use_tree='[ -z "$0" ] || mount --bind "$0/usr" /usr; exec "$@"'
enter=(nsenter --net="/run/netns/$netns" unshare --mount --propagation slave bash -c "$use_tree")

# podman's own client, whose data are the service's; and the mount namespace, in which the networks of the
# containers are: it has to outlive the service, as the containers do.
podman_place=$run/podman-place
podman=(nsenter --net="/run/netns/$netns" --mount="$podman_place/mnt" env HOME="$run/podman-home"
    CONTAINERS_CONF_OVERRIDE="$here/images/podman/containers.conf" PODMAN_IGNORE_CGROUPSV1_WARNING=1
    podman --root "$state/podman" --network-config-dir "$state/podman-networks"
    --runroot "$run/podman" --tmpdir "$run/podman-tmp")

podman_prepare() {
    mkdir -p "$run/podman-home/.config/containers" "$podman_place"
    cp "$here"/images/podman/{policy.json,registries.conf} "$run/podman-home/.config/containers/"
    ! mountpoint -q "$podman_place" || return 0
    mount --bind "$podman_place" "$podman_place"
    mount --make-private "$podman_place"
    touch "$podman_place/mnt"
    unshare --mount="$podman_place/mnt" --propagation slave bash -c "$use_tree" "$cache/engine-podman" true
}

# The engine that a command starts: the one that LAB_ENGINE names, else the last that was started.
engine_wanted() {
    local name
    name=${LAB_ENGINE:-$(cat "$state/engine" 2>/dev/null || echo older)}
    [[ $name =~ ^(older|newer|podman)$ ]] || die "LAB_ENGINE is older, newer or podman, not $name"
    echo "$name"
}
engine_last() { cat $run/engine 2>/dev/null || echo older; }
engine_up() { [ -S $sock ] && docker version >/dev/null 2>&1; }

engine_trees() { # engine_trees NAME...: what these engines run from
    local name
    for name; do
        case $name in
        newer) rootfs engine-newer forky docker.io,containerd,runc,iptables,iproute2,kmod ;;
        podman) rootfs engine-podman forky podman,runc,conmon,netavark,aardvark-dns,nftables,iptables,iproute2,catatonit ;;
        esac
    done
}

engine_launch() { # engine_launch NAME: in the background
    case $1 in
    older)
        setsid "${enter[@]}" "" dockerd --data-root "$state/docker" "${docker_options[@]}" &
        ;;
    newer) # with Engine 29's default of an image store
        setsid "${enter[@]}" "$cache/engine-newer" dockerd --data-root "$state/docker-newer" \
            --feature containerd-snapshotter=true "${docker_options[@]}" &
        ;;
    podman)
        podman_prepare
        # netavark masquerades whatever leaves its subnet, and so what a bridged frame takes to a pod of another node.
        nsenter --net="/run/netns/$netns" sysctl -qw net.bridge.bridge-nf-call-iptables=0
        "${podman[@]}" start --all --filter should-start-on-boot=true || true # as podman-restart.service does
        setsid "${podman[@]}" system service --time 0 unix://$sock &
        echo $! >$engine_pid
        ;;
    esac >$run/engine.log 2>&1 </dev/null 9>&-
}

# Before another engine takes the network: no container, bridge or filter rule of the last one stays.
engine_leave() {
    cmd_engine_stop
    [ -e /run/netns/$netns ] || return 0
    if mountpoint -q "$podman_place"; then
        "${podman[@]}" stop --all --time 0 >/dev/null
        umount "$podman_place/mnt" "$podman_place"
    fi
    ip netns del $netns
}

engine_start() {
    local wanted f
    wanted=$(engine_wanted)
    need docker.io containerd runc iptables iproute2 busybox-static jq
    engine_trees "$wanted"
    if [ "$(engine_last)" != "$wanted" ]; then
        engine_leave
    elif engine_up; then
        return
    fi
    # an engine that was killed leaves its containerd behind: end that one by its pid file
    for f in $engine_pid $run/exec/containerd/containerd.pid; do
        if [ -e "$f" ]; then
            kill "$(cat "$f")" 2>/dev/null || true
        fi
    done
    rm -f $engine_pid
    [ -e /run/netns/$netns ] || ip netns add $netns
    nsenter --net=/run/netns/$netns ip link set lo up
    engine_launch "$wanted"
    echo "$wanted" | tee "$state/engine" >$run/engine
    until_ok 30 engine_up || die "the engine did not start: see $run/engine.log"
}

cmd_engine() { # [--older|--newer|--podman]
    case ${1:-} in
    --older | --newer | --podman) LAB_ENGINE=${1#--} ;;
    '') ;;
    *) die "engine: $1?" ;;
    esac
    locked engine_start
}

# Stops the engine alone, as `systemctl stop` would: dockerd's containers stop with it, podman's go on.
cmd_engine_stop() {
    [ -e $engine_pid ] || return 0
    local p
    p=$(cat $engine_pid)
    kill "$p" 2>/dev/null || true
    until_ok 30 gone "$p" || true
    rm -f $engine_pid $sock
}
gone() { ! kill -0 "$1" 2>/dev/null; }

# Sets `machine`: what a container needs to be a machine of its own, which a kind node gets by being privileged.
# The older engine asks for CAP_SYS_RESOURCE then, which a sandbox may lack.
machine_options() {
    machine=(--privileged)
    [ "$(engine_last)" != older ] ||
        machine=(--cap-add ALL --cap-drop SYS_RESOURCE --security-opt seccomp=unconfined
            --security-opt apparmor=unconfined --security-opt systempaths=unconfined --device-cgroup-rule 'a *:* rwm')
    machine+=(--tmpfs /tmp:exec --tmpfs /run)
}
