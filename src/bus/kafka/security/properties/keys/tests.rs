use super::*;
use crate::bus::kafka::security::{Login, Protocol};

fn none(name: &str) -> Result<Vec<u8>, String> {
    panic!("no property names a file, but {name} was opened")
}

fn given(text: &str) -> Given {
    let (given, ignored) = read(text, none).unwrap_or_else(|e| panic!("{e}"));
    assert!(ignored.is_empty(), "{ignored:?}");
    given
}

fn error(text: &str) -> String {
    read(text, |_| Ok(vec![0xfe, 0xed, 0xfe, 0xed])).expect_err("refused")
}

#[test]
fn a_file_of_a_managed_kafka_is_understood() {
    let text = "bootstrap.servers=a.example:9092, b.example:9092\nsecurity.protocol=SASL_SSL\n\
                sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
                username='KEY' password='SECRET';\nsasl.mechanism=PLAIN\n\
                client.dns.lookup=use_all_dns_ips\nsession.timeout.ms=45000\nacks=all\n";
    let (given, ignored) = read(text, none).expect("understood");
    assert_eq!(given.brokers, ["a.example:9092", "b.example:9092"]);
    assert_eq!(ignored, ["client.dns.lookup", "session.timeout.ms", "acks"]);
    let security = given.check().expect("complete");
    assert_eq!(security.protocol(), Protocol::SaslSsl);
    let login = Login::Plain { user: "KEY".to_owned(), password: Secret::new("SECRET") };
    assert_eq!(security.login, Some(login));
}

#[test]
fn names_of_librdkafka_are_understood() {
    let given = given("sasl.mechanisms=SCRAM-SHA-256\nsasl.username=u\nsasl.password=p\n");
    assert_eq!(given.user.as_deref(), Some("u"));
    assert_eq!(given.password.map(|p| p.reveal().to_owned()).as_deref(), Some("p"));
}

#[test]
fn pem_is_read_from_files_and_properties() {
    let text = "ssl.truststore.location=/ca\nssl.truststore.type=PEM\nssl.keystore.location=/own\n";
    let file = |name: &str| Ok(format!("content of {name}").into_bytes());
    let (given, _) = read(text, file).expect("understood");
    assert_eq!(given.ca.map(|pem| pem.bytes), Some(b"content of /ca".to_vec()));
    assert_eq!(given.cert, given.key);
    let inline = "ssl.keystore.key=-----BEGIN PRIVATE KEY----- \\\n AA \\\n -----END PRIVATE KEY-----";
    let key = self::given(inline).key.expect("a key");
    assert_eq!(key.bytes, b"-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----\n");
}

#[test]
fn what_would_weaken_or_change_the_connection_is_refused_by_name() {
    let cases = [
        ("ssl.truststore.location=t.jks", "line 1: ssl.truststore.location: t.jks is a JKS file"),
        ("\nssl.endpoint.identification.algorithm=", "line 2: ssl.endpoint.identification.algorithm: would"),
        ("enable.ssl.certificate.verification=false", "would turn off"),
        ("ssl.enabled.protocols=TLSv1.2,TLSv1", "\"TLSv1\" is not supported"),
        ("ssl.cipher.suites=x", "ssl.cipher.suites: is not supported"),
        ("sasl.kerberos.service.name=kafka", "sasl.kerberos.service.name: is not supported"),
        ("security.providers=x", "is not supported"),
        ("sasl.mechanism=GSSAPI", "use PLAIN, SCRAM"),
        ("sasl.login.callback.handler.class=a.b.Iam", "a.b.Iam is a Java class"),
        ("sasl.jaas.config=a.Krb5LoginModule required;", "Krb5LoginModule is not supported"),
        ("security.protocol=TLS", "use plaintext, ssl"),
        ("sasl.oauthbearer.header.urlencode=yes", "\"yes\" is neither true nor false"),
        (
            "sasl.jaas.config=a.ScramLoginModule required tokenauth=true;",
            "its option tokenauth is not supported",
        ),
        (
            "sasl.jaas.config=a.PlainLoginModule required user='u';",
            "its option user is not supported: remove it",
        ),
        (
            "sasl.jaas.config=a.OAuthBearerLoginModule required extension_x='u';",
            "its option extension_x is not",
        ),
        ("a=b\nnot a pair=\nMIIEvgIBADANBgkq\n", "line 3: is not KEY=VALUE"),
    ];
    for (text, expected) in cases {
        let error = error(text);
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn no_error_shows_a_secret() {
    for text in [
        "sasl.jaas.config=a.ScramLoginModule required password=\"hunter2",
        "sasl.jaas.config=a.Other required password=\"hunter2\";",
        "sasl.jaas.config=a.PlainLoginModule required pass=\"hunter2\";",
        "ssl.key.pem=-----BEGIN X-----\nhunter2\n",
    ] {
        let error = error(text);
        assert!(!error.contains("hunter2"), "{error}");
    }
    let given = given("sasl.password=hunter2\nssl.key.pem=-----BEGIN X----- hunter2 -----END X-----");
    assert!(!format!("{given:?}").contains("hunter2"), "{given:?}");
}

#[test]
fn tokens_come_from_an_endpoint_or_a_file() {
    let text = "sasl.mechanism=OAUTHBEARER\nsasl.oauthbearer.token.endpoint.url=https://id.example/token\n\
                sasl.jaas.config=o.a.k.OAuthBearerLoginModule required clientId=\"c\" clientSecret=\"s\" \
                scope=\"kafka\";\n";
    let endpoint = given(text);
    assert_eq!(endpoint.token_url.as_deref(), Some("https://id.example/token"));
    assert_eq!((endpoint.user.as_deref(), endpoint.token_scope.as_deref()), (Some("c"), Some("kafka")));
    assert_eq!((endpoint.header_urlencode, endpoint.token_ca), (None, None));
    let file = given("sasl.oauthbearer.token.endpoint.url=file:///run/token\n");
    assert_eq!(file.token_file, Some(PathBuf::from("/run/token")));
}

#[test]
fn the_token_endpoint_has_its_own_trust_and_encoding() {
    let java = "sasl.jaas.config=o.OAuthBearerLoginModule required clientId='c' clientSecret='s' \
                ssl.truststore.type='PEM' ssl.truststore.location='/idp.pem';\n\
                sasl.oauthbearer.header.urlencode=TRUE\nssl.truststore.location=/brokers.pem\n";
    let file = |name: &str| Ok(name.as_bytes().to_vec());
    let bytes = |pem: Option<Pem>| pem.map(|pem| String::from_utf8(pem.bytes).expect("text"));
    let (given, _) = read(java, file).expect("understood");
    assert_eq!(given.header_urlencode, Some(true));
    assert_eq!(
        [bytes(given.ca), bytes(given.token_ca)],
        ["/brokers.pem", "/idp.pem"].map(|n| Some(n.to_owned()))
    );
    let (librdkafka, _) = read("https.ca.location=/idp.pem\n", file).expect("understood");
    assert_eq!(bytes(librdkafka.token_ca).as_deref(), Some("/idp.pem"));
}
