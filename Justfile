# Common tasks. `just` lists them.

kafka := env("FLOODGATE_KAFKA", "127.0.0.1:9092")

# Lists the recipes
default:
    @just --list --unsorted

# Runs a load test in one process: `just run --url http://127.0.0.1:8000/ping --rate 500`
run *args:
    cargo run --release -- run {{args}}

# Starts a target on 127.0.0.1:8000
run-target *args:
    cargo run --release --bin floodgate-target -- {{args}}

# Starts the orchestrator on 127.0.0.1:8080
run-orchestrator *args:
    cargo run --release --bin floodgate-orchestrator -- --kafka {{kafka}} {{args}}

# Starts a driver: `just run-driver driver-1 --rate 100`
run-driver id="driver-1" *args:
    cargo run --release --bin floodgate-driver -- --kafka {{kafka}} --node-id {{id}} --node-ip 127.0.0.1 --target http://127.0.0.1:8000/ping {{args}}

# Starts Apache Kafka on 127.0.0.1:9092 (needs Java 17 and Maven; versions 3.9.1 and 4.3.0 are tested)
kafka version="4.3.0":
    scripts/kafka start {{version}} 9092

# Starts Kafka with TLS (port 9093), TLS and logins (9094), logins (9095) and client certificates (9096), too
kafka-secure version="4.3.0":
    scripts/kafka secure {{version}} 9092
    @echo "alice may do everything: --kafka 127.0.0.1:9094 --kafka-ca .kafka/{{version}}/secure/ca.pem --kafka-mechanism SCRAM-SHA-512 --kafka-user alice --kafka-password-file .kafka/{{version}}/secure/alice.password"

# Starts a cluster of three brokers on ports 9092, 9102 and 9112, each with the listeners of kafka-secure, too
kafka-cluster version="4.3.0":
    scripts/kafka cluster {{version}} 9092
    @echo "Restart one broker after the other: scripts/kafka roll {{version}}"

# Stops Kafka
kafka-stop:
    scripts/kafka stop all

# Runs the tests that need nothing but Rust
test *args:
    cargo test --locked {{args}}

# Runs the tests that need a broker, on both tested versions of Kafka
test-kafka *args:
    scripts/kafka secure 3.9.1
    scripts/kafka secure 4.3.0
    eval "$(scripts/kafka env)" && cargo test --locked --test it -- --ignored --skip poison::scene --skip system::cluster {{args}}

# Runs the tests that need a cluster, which it starts and ends
test-cluster version="4.3.0" *args:
    .ci/cluster {{version}} {{args}}

# Drives a real browser over the live page of a fleet (needs Chromium, Node and a broker): `just page /tmp/shots`
page shots="":
    cargo build --locked --bins
    node .ci/page.mjs "$(.ci/node-env)" target/debug {{kafka}} {{shots}}

# Compares floodgate with its peers (those installed): `just bench --rounds 5 --only floodgate,wrk,floor`
bench *args:
    cargo bench --locked --bench peers -- {{args}}

# Measures what a fleet of simulated drivers costs the orchestrator (needs a broker): `just bench-fleet 10 100 1000`
bench-fleet *args:
    FLOODGATE_KAFKA={{kafka}} cargo bench --locked --bench fleet -- {{args}}

# Runs the files of examples/ against servers that it starts; those that need a broker: `just examples 127.0.0.1:9092`
examples kafka="":
    cargo build --locked --release --bin floodgate
    .ci/examples target/release {{kafka}}

# Fuzzes every parser of external input: `just fuzz 10000000 SEED`
fuzz inputs="1000000" seed="1":
    cargo run --locked --release --example fuzz -- {{inputs}} {{seed}}

# Simulates the whole system with seeded faults: `just simulate 10000`; replay one with `just replay-seed 17`
simulate seeds="1000":
    FLOODGATE_SEEDS={{seeds}} cargo test --locked --release --test it simulation::seeds -- --nocapture

# Replays one seed of the simulation
replay-seed seed:
    FLOODGATE_SEED={{seed}} cargo test --locked --release --test it simulation::seeds -- --nocapture

# Checks that the verdict blames the right side: starves nginx, the generator, both, neither (needs nginx and two cores)
bottleneck *args:
    cargo build --locked --release --bin floodgate
    .ci/starved.py {{args}}

# Compares equal and different targets and counts what `floodgate compare` calls: `just bench-compare --wrap 'chrt -f 5'`
bench-compare *args:
    cargo build --locked --release --bin floodgate --bin floodgate-target
    .ci/compare.py {{args}}

# Compares what floodgate, k6 and wrk (those installed) report of a target that stalls: `just stalled --repeats 3`
stalled *args:
    cargo build --locked --release --bin floodgate --bin floodgate-target
    .ci/stalled.py {{args}}

# Checks formatting and lints
lint:
    cargo fmt --check
    cargo clippy --locked --all-targets -- -D warnings

# Formats the code
fmt:
    cargo fmt

# Builds the API documentation
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

# Runs every check that must pass before a change lands
ci *args:
    .ci/run {{args}}

# Runs the static binary (after `just static`) on hosts that lack memory, CPU, threads, /proc, a terminal …
constrained *args:
    .ci/constrained {{args}} target/x86_64-unknown-linux-musl/dist/floodgate

# Compiles everything with the minimum Rust version that Cargo.toml declares
oldest-rust:
    .ci/oldest-rust

# Builds the static binary, for x86_64 or aarch64 hosts, or a `--small` one (needs rustup's musl target and a C
# compiler, see scripts/static)
static *args:
    scripts/static {{args}}

# Copies the static binary to hosts by ssh, as ./floodgate: `just copy load-1 load-2` (after `just static`)
copy +hosts:
    scripts/copy {{hosts}}

# Builds a container image that has only the static binary, with podman, docker or buildah: whichever works here
image arch="x86_64" tool="":
    scripts/static {{arch}}
    scripts/image {{arch}} {{tool}}

# Makes the archives of a release with checksums, licences and a bill of materials, in target/archives/
dist *archs:
    scripts/dist {{archs}}

# Checks licences and sources of the dependencies (needs cargo-deny)
deny:
    cargo deny check bans licenses sources

# Sizes of files and functions
sizes:
    cargo test --locked --test it tidy::the_sizes -- --nocapture
