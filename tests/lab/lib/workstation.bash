# shellcheck shell=bash
# A developer's machine, and a browser.

cmd_workstation() { # [DIR]: systemd, a lingering user `dev`, the engine's socket and this network
    locked workstation_image
    docker rm -fv workstation >/dev/null 2>&1 || true
    local machine
    machine_options
    docker run -d -t --name workstation --hostname workstation --stop-signal SIGRTMIN+3 --network host \
        "${machine[@]}" --tmpfs /run/lock --cgroupns=host -v /sys/fs/cgroup:/sys/fs/cgroup:rw \
        -v $run:/lab -v "$(readlink -f "${1:-$PWD}")":/src:ro lab/workstation:1 >/dev/null
    docker exec workstation first-boot
}

cmd_as_dev() {
    docker exec -i -u dev -w /home/dev -e HOME=/home/dev -e XDG_RUNTIME_DIR=/run/user/1000 \
        -e DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus workstation "$@"
}

cmd_chromium() { # URL: the page's DOM after its scripts have run on stdout, its console messages on stderr
    (($# == 1)) || die "chromium: one URL"
    need chromium
    local dir status=0
    dir=$(mktemp -d)
    mkdir "$dir/profile"
    HOME=$dir inside timeout -k 5 60 chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
        --disable-background-networking --disable-component-update --disable-sync --disable-dev-shm-usage \
        --user-data-dir="$dir/profile" --enable-logging=stderr --virtual-time-budget=10000 --dump-dom "$1" \
        2>"$dir/log" </dev/null || status=$?
    sed -n 's/^\[[^]]*CONSOLE[^]]*\] /console: /p' "$dir/log" >&2
    ((status == 0)) || tail -n 20 "$dir/log" >&2
    rm -rf "$dir"
    return $status
}
