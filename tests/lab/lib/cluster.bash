# shellcheck shell=bash
# Clusters of kind-shaped nodes: whole ones with Kubernetes, and bare ones with containerd alone.

node_create() { # node_create NAME ROLE IMAGE [DOCKER ARG...]
    local machine
    machine_options
    # No volume has a mount below it: engines before 23.0 leave copies of those in the container with each request
    # for its files (moby #38995).
    docker create -t --name "$1" --hostname "$1" -e LAB_ROLE="$2" \
        --label io.x-k8s.kind.cluster="$cluster" --label io.x-k8s.kind.role="$2" \
        "${machine[@]}" --cgroupns=private --volume /var --restart=on-failure:1 --network kind "${@:4}" "$3" >/dev/null
}
node_run() { # node_run NAME ROLE [DOCKER ARG...]
    node_create "$1" "$2" "$node_image" "${@:3}"
    docker start "$1" >/dev/null
}

kind_network() {
    docker network inspect kind >/dev/null 2>&1 ||
        docker network create -d bridge -o com.docker.network.bridge.enable_ip_masquerade=true kind >/dev/null
}

nodes() { docker ps -a --filter label=io.x-k8s.kind.cluster="$cluster" --format '{{.Names}}' "$@"; }
workers() { nodes --filter label=io.x-k8s.kind.role=worker | wc -l; }
next_worker() { # the name that kind would give the next worker
    local n=1 name=$cluster-worker
    while docker inspect "$name" >/dev/null 2>&1; do
        n=$((n + 1)) name=$cluster-worker$n
    done
    echo "$name"
}

cmd_up() { # [-w WORKERS] [-p HTTP_PORT] [--gateway] [--no-config-path] [--no-wait]
    local count=0 port=8080 config_path=1 wait=1 gateway=0
    while (($#)); do
        case $1 in
        -c) cluster=$2 && shift 2 ;;
        -w) count=$2 && shift 2 ;;
        -p) port=$2 && shift 2 ;;
        --gateway) gateway=1 && shift ;;
        --no-config-path) config_path=0 && shift ;;
        --no-wait) wait=0 && shift ;;
        *) die "up: $1?" ;;
        esac
    done
    locked cluster_images
    kind_network
    if [ -n "$(nodes)" ]; then
        say "cluster $cluster exists"
        nodes | while read -r n; do docker start "$n" >/dev/null; done
    else
        node_run "$cluster-control-plane" control-plane -e LAB_CONFIG_PATH=$config_path \
            -p 127.0.0.1:0:6443 -p 127.0.0.1:"$port":80
    fi
    while (($(workers) < count)); do
        cmd_worker
    done
    ((!gateway)) || gateway_up
    ((!wait)) || cmd_wait
}

gateway_up() { # the Gateway API and a Gateway, which the ingress serves from then on
    until_ok 60 cmd_kubectl get --raw /readyz >/dev/null 2>&1 || die "the API server of $cluster does not answer"
    cmd_kubectl apply -f - <"$here/images/node/gateway-api.yaml" >/dev/null
    cmd_kubectl wait --for=condition=Established crd --all --timeout=30s >/dev/null
    until_ok 10 cmd_kubectl get --raw /apis/gateway.networking.k8s.io/v1/gateways >/dev/null 2>&1
    cmd_kubectl apply -f - <"$here/images/node/gateway.yaml" >/dev/null
    say "Gateway lab/gateway, of any namespace's routes"
}

has_admin_conf() { docker exec "$cluster-control-plane" test -e /etc/kubernetes/admin.conf; }

cmd_worker() { # add a worker to a running cluster
    local cp=$cluster-control-plane name join
    name=$(next_worker)
    until_ok 60 has_admin_conf || die "$cp makes no admin.conf"
    join=$(mktemp)
    docker exec "$cp" tar -C /etc -c kubernetes/admin.conf kubernetes/pki/ca.crt >"$join"
    node_run "$name" worker -e LAB_CONFIG_PATH="$(docker exec "$cp" printenv LAB_CONFIG_PATH)"
    docker cp - "$name:/etc" <"$join" >/dev/null
    rm -f "$join"
    say "$name joined"
}

cmd_bare() { # CONTAINERD_VERSION [CONFIG]: a node without Kubernetes; CONFIG is a variant of images/bare, a
    # config.toml, or a directory that becomes /etc/containerd
    local version=${1:-} config=${2:-kind} name role=control-plane from
    [ -n "${containerd_suites[${version:-none}]:-}" ] || die "bare: containerd is one of ${!containerd_suites[*]}"
    [ ! -d "$here/images/bare/$config" ] || config=$here/images/bare/$config
    [ -e "$config" ] || die "bare: no $2, and images/bare has $(cd "$here/images/bare" && echo */)"
    locked bare_images "$version"
    kind_network
    name=$cluster-control-plane
    if [ -n "$(nodes)" ]; then
        name=$(next_worker) role=worker
    fi
    node_create "$name" $role "lab/bare:$version"
    from=$(mktemp -d)
    mkdir -p "$from/containerd"
    if [ -d "$config" ]; then
        cp -r "$config/." "$from/containerd/"
    else
        cp "$config" "$from/containerd/config.toml"
    fi
    docker cp "$from/containerd" "$name:/etc/" >/dev/null 2>&1
    rm -rf "$from"
    docker start "$name" >/dev/null
    say "$name has started, containerd $version"
}

node_ready() { docker exec "$1" test -e /run/lab-ready 2>/dev/null; }
all_ready() {
    local n some=0
    for n in $(nodes); do
        node_ready "$n" || return 1
        some=1
    done
    ((some))
}

cmd_wait() { # until every node of the cluster is ready, and the ingress of a whole one serves
    local want
    want=$(nodes | wc -l)
    ((want)) || die "there is no cluster $cluster"
    until_ok 180 all_ready || die "cluster $cluster is not ready: docker logs $cluster-control-plane"
    say "cluster $cluster: $want node(s) ready"
}

cmd_down() {
    nodes | while read -r n; do docker rm -fv "$n" >/dev/null; done
}

cmd_kubectl() { docker exec -i -e KUBECONFIG=/etc/kubernetes/admin.conf "$cluster-control-plane" kubectl "$@"; }

cmd_kubeconfig() { # what `kind get kubeconfig` prints: the cluster as seen from the host
    local at
    at=$(docker port "$cluster-control-plane" 6443/tcp | head -n1)
    docker exec "$cluster-control-plane" cat /etc/kubernetes/admin.conf |
        sed -e "s#server: .*#server: https://$at#" -e "s#kubernetes-admin@kubernetes#kind-$cluster#g" \
            -e "s#name: kubernetes\$#name: kind-$cluster#" -e "s#cluster: kubernetes\$#cluster: kind-$cluster#" \
            -e "s#kubernetes-admin#kind-$cluster#g"
}

# A stopped API server accepts connections and answers nothing. It is the process that is stopped, not its
# supervisor in the node, which would start another one if it ended.
signal_api() {
    docker exec "$cluster-control-plane" pkill "-$1" -x kube-apiserver ||
        die "no API server runs in $cluster-control-plane"
}
cmd_pause_api() { signal_api STOP; }
cmd_resume_api() { signal_api CONT; }
