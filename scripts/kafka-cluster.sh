# Part of scripts/kafka: three nodes on this host, each broker and controller, with the secure listeners too. Sourced,
# not run. Node n is in VERSION/cluster/n, and 10 ports above node n-1. Functions of scripts/kafka know it by that path.

cluster_nodes=(1 2 3)

cluster_port() {
    local port
    port=$(default_port "$1") || exit 1
    echo $((port + 100))
}

# The port of a node, given that of the first one.
node_port() {
    echo $(($1 + 10 * ($2 - 1)))
}

# The plaintext addresses of all nodes.
cluster_addresses() {
    local node list=
    for node in "${cluster_nodes[@]}"; do list+=${list:+,}127.0.0.1:$(port_of "$1/cluster/$node"); done
    echo "$list"
}

# The versions of which a cluster was started.
clusters() {
    local home
    for home in "$root"/*/cluster/; do
        [[ ! -d $home ]] || basename "$(dirname "$home")"
    done
}

# Whether a node of the cluster runs; another one may be starting again.
runs_cluster() {
    local node
    for node in "${cluster_nodes[@]}"; do
        [[ -z $(pid_of "$1/cluster/$node") ]] || return 0
    done
    return 1
}

# A cluster's records must survive one node: three replicas, of which two must have a record before it counts.
configure_node() {
    local version=$1 node=$2 first=$3 home=$root/$1/cluster/$2 port more other voters=
    port=$(node_port "$first" "$node")
    more=$(listeners "$port")
    for other in "${cluster_nodes[@]}"; do
        voters+=${voters:+,}$other@127.0.0.1:$(controller_port "$(node_port "$first" "$other")")
    done
    mkdir -p "$home"
    echo "$port" >"$home/port"
    {
        cat <<PROPERTIES
process.roles=broker,controller
node.id=$node
controller.quorum.voters=$voters
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$(controller_port "$port")$more
advertised.listeners=PLAINTEXT://127.0.0.1:$port$more
controller.listener.names=CONTROLLER
log.dirs=$home/data
num.partitions=1
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
offsets.topic.num.partitions=1
auto.create.topics.enable=false
# So that tests see what happens to idle connections, without waiting for ten minutes.
connections.max.idle.ms=4000
log.retention.hours=24
log.segment.bytes=67108864
log.index.size.max.bytes=1048576
PROPERTIES
        secure_properties "$root/$version/cluster"
    } >"$home/server.properties"
}

format_node() {
    local version=$1 home=$root/$1/cluster/$2 users_arguments=()
    mapfile -t users_arguments < <(scram_users)
    java_run "$version" kafka.tools.StorageTool format -t floodgatefloodgateflood -c "$home/server.properties" \
        "${users_arguments[@]}" >"$home/format.log" 2>&1 || fail "formatting failed: see $home/format.log"
}

# Starts a node and does not wait for it. Compiling less saves these short-lived processes half of their start.
launch_node() {
    local version=$1 home=$root/$1/cluster/$2
    setsid nohup java -Xms64m -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
        -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$root/$version/lib/*" \
        kafka.Kafka "$home/server.properties" >>"$home/kafka.log" 2>&1 </dev/null &
    echo $! >"$home/kafka.pid"
}

cluster() {
    local version=$1 home=$root/$1/cluster first node mine formatting=()
    check_version "$version"
    first=${2:-$(cluster_port "$version")}
    need java "Kafka needs Java 17 or newer (Debian: apt-get install openjdk-17-jre-headless)"
    for node in "${cluster_nodes[@]}"; do
        [[ -z $(pid_of "$version/cluster/$node") ]] ||
            fail "the cluster of $version already runs at $(cluster_addresses "$version"): stop it with" \
                "'scripts/kafka stop-cluster $version'"
    done
    fetch "$version"
    rm -rf "$home"
    certificates "$home/secure"
    for node in "${cluster_nodes[@]}"; do
        for mine in $(ports_of "$(node_port "$first" "$node")" "$version/cluster"); do
            ! answers "$mine" || fail "port $mine is in use by another program: use another port"
        done
        configure_node "$version" "$node" "$first"
    done
    for node in "${cluster_nodes[@]}"; do format_node "$version" "$node" & formatting+=($!); done
    for node in "${formatting[@]}"; do wait "$node" || exit 1; done
    for node in "${cluster_nodes[@]}"; do launch_node "$version" "$node"; done
    for node in "${cluster_nodes[@]}"; do wait_for "$version/cluster/$node" "$(node_port "$first" "$node")"; done
    in_sync "$version"
    echo "a cluster of Kafka $version is up at $(cluster_addresses "$version")"
}

# Waits until every replica of every partition is in sync, so that the next node may be stopped.
in_sync() {
    local version=$1 behind _
    for _ in $(seq 20); do
        behind=$(java_run "$version" org.apache.kafka.tools.TopicCommand --describe --under-replicated-partitions \
            --bootstrap-server "$(cluster_addresses "$version")" 2>&1) || behind="no answer: $behind"
        # 3.9 complains about its own loggers.
        behind=$(grep -v -e '^SLF4J:' -e '^log4j:' <<<"$behind" || true)
        [[ -n $behind ]] || return 0
        sleep 0.2
    done
    fail "the cluster of Kafka $version does not get in sync: $behind"
}

# Stops a node as an administrator would, starts it again, and waits until it has caught up.
restart() {
    local version=$1 node=$2
    check_version "$version"
    [[ -n $(pid_of "$version/cluster/$node") ]] ||
        fail "node $node of the cluster of $version is not running: start it with 'scripts/kafka cluster $version'"
    stop "$version/cluster/$node"
    launch_node "$version" "$node"
    wait_for "$version/cluster/$node" "$(port_of "$version/cluster/$node")"
    in_sync "$version"
}

roll() {
    local node
    for node in "${cluster_nodes[@]}"; do restart "$1" "$node"; done
}

# All at once: a node that lost the majority would wait for the others.
stop_cluster() {
    local version=$1 node pid
    check_version "$version"
    for node in "${cluster_nodes[@]}"; do
        pid=$(pid_of "$version/cluster/$node")
        [[ -z $pid ]] || kill -KILL "$pid"
    done
    for node in "${cluster_nodes[@]}"; do
        while [[ -n $(pid_of "$version/cluster/$node") ]]; do sleep 0.1; done
    done
    rm -rf "$root/$version/cluster"
    echo "the cluster of Kafka $version is stopped and removed"
}
