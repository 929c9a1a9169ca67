# Part of scripts/kafka: listeners with TLS and logins, their certificates and users. Sourced, not run.
# For tests: every password is its user's name with -secret, and all keys lie in the broker's folder.

# Offsets of the secure listeners from the plaintext one.
ssl_port() { echo $(($1 + 1)); }
sasl_ssl_port() { echo $(($1 + 2)); }
sasl_port() { echo $(($1 + 3)); }
mtls_port() { echo $(($1 + 4)); }

# alice may do everything; the others only what ACLs allow them.
users=(alice orchestrator driver replay)

is_secure() {
    [[ -f $root/$1/secure/ready ]]
}

# A certificate: file name, subject's name, whether for a server or a client.
certify() {
    local folder=$1 name=$2 subject=$3 extensions=$4
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$folder/$name.key" 2>/dev/null
    openssl req -new -key "$folder/$name.key" -subj "/CN=$subject" |
        openssl x509 -req -CA "$folder/ca.pem" -CAkey "$folder/ca.key" -CAcreateserial -days 30 -sha256 \
            -extfile <(printf '%s' "$extensions") -out "$folder/$name.pem" 2>/dev/null
    # Kafka reads a key and its certificates from one file.
    cat "$folder/$name.key" "$folder/$name.pem" "$folder/ca.pem" >"$folder/$name-all.pem"
}

certificates() {
    local folder=$1
    need openssl "it makes the certificates (Debian: apt-get install openssl)"
    rm -rf "$folder"
    (umask 077 && mkdir -p "$folder")
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=Floodgate test CA" \
        -keyout "$folder/ca.key" -out "$folder/ca.pem" 2>/dev/null
    # Not for localhost: a test connects by that name, which must fail.
    certify "$folder" broker broker 'subjectAltName=IP:127.0.0.1'
    certify "$folder" alice alice 'extendedKeyUsage=clientAuth'
    local user
    for user in "${users[@]}"; do echo "$user-secret" >"$folder/$user.password"; done
    touch "$folder/ready"
}

# The arguments of StorageTool that create the users.
scram_users() {
    local user mechanism
    for user in "${users[@]}"; do
        for mechanism in SCRAM-SHA-256 SCRAM-SHA-512; do
            printf '%s\n' --add-scram "$mechanism=[name=$user,password=$user-secret]"
        done
    done
}

listeners() {
    local port=$1
    printf ',SSL://127.0.0.1:%s,SASL_SSL://127.0.0.1:%s,SASL_PLAINTEXT://127.0.0.1:%s,MTLS://127.0.0.1:%s' \
        "$(ssl_port "$port")" "$(sasl_ssl_port "$port")" "$(sasl_port "$port")" "$(mtls_port "$port")"
}

secure_properties() {
    local folder=$1/secure modules=org.apache.kafka.common.security plain= user listener
    for user in "${users[@]}"; do plain+=" user_$user=\"$user-secret\""; done
    cat <<PROPERTIES
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,MTLS:SSL
ssl.keystore.type=PEM
ssl.keystore.location=$folder/broker-all.pem
ssl.truststore.type=PEM
ssl.truststore.location=$folder/ca.pem
listener.name.mtls.ssl.client.auth=required
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
connections.max.reauth.ms=5000
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:alice;User:CN=alice
PROPERTIES
    for listener in sasl_ssl sasl_plaintext; do
        cat <<PROPERTIES
listener.name.$listener.plain.sasl.jaas.config=$modules.plain.PlainLoginModule required$plain;
listener.name.$listener.scram-sha-256.sasl.jaas.config=$modules.scram.ScramLoginModule required;
listener.name.$listener.scram-sha-512.sasl.jaas.config=$modules.scram.ScramLoginModule required;
listener.name.$listener.oauthbearer.sasl.jaas.config=$modules.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";
PROPERTIES
    done
}

# Starts a broker with the secure listeners. One that was formatted without users is formatted again.
secure() {
    local version=$1 home=$root/$1
    check_version "$version"
    if ! is_secure "$version"; then
        wipe "$version" >/dev/null
        mkdir -p "$home"
        certificates "$home/secure"
    fi
    start "$@"
}
