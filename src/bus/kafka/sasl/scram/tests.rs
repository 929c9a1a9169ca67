use super::*;
use proptest::prelude::*;

const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
const FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const LAST: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

fn scram(hash: Hash) -> Scram {
    Scram::new(hash, "user", Secret::new("pencil"), NONCE)
}

/// A login that has sent its proof.
fn proved() -> Scram {
    let mut scram = scram(Hash::Sha256);
    scram.answer(FIRST.as_bytes()).expect("a proof");
    scram
}

#[test]
fn the_example_of_rfc_7677() {
    let mut scram = scram(Hash::Sha256);
    assert_eq!(scram.first(), b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    let proof = scram.answer(FIRST.as_bytes()).expect("accepted").expect("a proof");
    let expected = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                    p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    assert_eq!(String::from_utf8(proof).expect("text"), expected);
    assert_eq!(scram.answer(LAST.as_bytes()), Ok(None));
    assert!(scram.answer(LAST.as_bytes()).is_err(), "once");
}

/// SCRAM-SHA-512 has no example in an RFC: these values are from Python's hashlib and hmac.
#[test]
fn sha_512_agrees_with_another_implementation() {
    let mut scram = scram(Hash::Sha512);
    let proof = scram.answer(FIRST.as_bytes()).expect("accepted").expect("a proof");
    let proof = String::from_utf8(proof).expect("text");
    assert_eq!(proof.split_once(",p=").expect("a proof").1, SHA_512_PROOF);
    assert_eq!(scram.answer(format!("v={SHA_512_SIGNATURE}").as_bytes()), Ok(None));
}

const SHA_512_PROOF: &str =
    "gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==";
const SHA_512_SIGNATURE: &str =
    "ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw==";

#[test]
fn a_broker_that_does_not_know_the_password_is_refused() {
    let error = scram(Hash::Sha256).answer(LAST.as_bytes()).expect_err("no proof was asked for");
    assert!(error.contains("malformed"), "{error}");
    let wrong = LAST.replace("6rri", "6rrj");
    let error = proved().answer(wrong.as_bytes()).expect_err("another signature");
    assert!(error.contains("signature is wrong"), "{error}");
    // A part of the signature is not enough, nor is none.
    for short in ["v=", "v=6rriTRBi", "", "x=6rri", "v=!"] {
        assert!(proved().answer(short.as_bytes()).is_err(), "{short:?}");
    }
    assert!(proved().answer(b"e=invalid-proof").expect_err("refused").contains("refuses"));
}

#[test]
fn iterations_and_nonces_are_limited() {
    for (count, allowed) in
        [(0, false), (1, false), (4_095, false), (4_096, true), (10_000, true), (1_000_001, false)]
    {
        let challenge = FIRST.replace("i=4096", &format!("i={count}"));
        let answer = scram(Hash::Sha256).answer(challenge.as_bytes());
        assert_eq!(answer.is_ok(), allowed, "{count}");
        if let Err(error) = answer {
            assert!(error.contains(&count.to_string()) && error.contains("4096 to 1000000"), "{error}");
        }
    }
    for nonce in [NONCE, "other", "", &NONCE[1..]] {
        let challenge = format!("r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
        let error = scram(Hash::Sha256).answer(challenge.as_bytes()).expect_err("not ours");
        assert!(error.contains("nonce"), "{error}");
    }
    for malformed in ["", "r=", "m=x,r=a,s=b,i=4096", "s=W22Z,r=a,i=4096", &format!("{FIRST}9999999")] {
        assert!(scram(Hash::Sha256).answer(malformed.as_bytes()).is_err(), "{malformed:?}");
    }
    assert!(scram(Hash::Sha256).answer(&[b'r'; LONGEST + 1]).is_err());
}

#[test]
fn special_characters_of_a_user_are_escaped() {
    let scram = Scram::new(Hash::Sha256, "a,b=c", Secret::new("x"), "n");
    assert_eq!(scram.first(), b"n,,n=a=2Cb=3Dc,r=n");
}

proptest! {
    #[test]
    fn malformed_input_never_panics(bytes: Vec<u8>, proved_first: bool) {
        let mut scram = if proved_first { proved() } else { scram(Hash::Sha256) };
        prop_assert!(scram.answer(&bytes).is_err());
    }
}
