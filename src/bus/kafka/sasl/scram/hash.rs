//! The hash functions of SCRAM, with HMAC (RFC 2104) and PBKDF2 (RFC 8018).

use crate::bus::kafka::security::Hash;

impl Hash {
    /// The hash of a text.
    pub fn digest(self, text: &[u8]) -> Vec<u8> {
        match self {
            Hash::Sha256 => hmac_sha256::Hash::hash(text).to_vec(),
            Hash::Sha512 => hmac_sha512::Hash::hash(text).to_vec(),
        }
    }

    /// The HMAC of a text.
    pub fn sign(self, key: &[u8], text: &[u8]) -> Vec<u8> {
        match self {
            Hash::Sha256 => hmac_sha256::HMAC::mac(text, key).to_vec(),
            Hash::Sha512 => hmac_sha512::HMAC::mac(text, key).to_vec(),
        }
    }

    /// The key that PBKDF2 derives from a password, as long as the hash: `Hi` in RFC 5802, section 2.2.
    pub fn derive(self, password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
        let mut last = self.sign(password, &[salt, &1u32.to_be_bytes()].concat());
        let mut key = last.clone();
        for _ in 1..iterations {
            last = self.sign(password, &last);
            xor_into(&mut key, &last);
        }
        key
    }

    /// Whether this is the HMAC of a text. The time it takes does not depend on where they differ.
    pub fn is_signature(self, key: &[u8], text: &[u8], signature: &[u8]) -> bool {
        let mut difference = self.sign(key, text);
        if signature.len() != difference.len() {
            return false;
        }
        xor_into(&mut difference, signature);
        // No comparison before all bytes were seen.
        std::hint::black_box(difference.iter().fold(0, |all, byte| all | byte)) == 0
    }
}

/// XORs `other` into `bytes`.
pub fn xor_into(bytes: &mut [u8], other: &[u8]) {
    for (byte, other) in bytes.iter_mut().zip(other) {
        *byte ^= other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Values from Python's `hashlib.pbkdf2_hmac`.
    #[test]
    fn derived_keys_agree_with_another_implementation() {
        let derive = |hash: Hash, iterations| hex(&hash.derive(b"pencil", b"salt \xff", iterations));
        assert_eq!(
            derive(Hash::Sha256, 1),
            "cc4797f30637293601e30ca16e5b84f285e8641dadbe1e90634a70b765108e25"
        );
        assert_eq!(
            derive(Hash::Sha256, 7),
            "2253571cfa46f8e2f805818ff69c0555517025839ee9ebccd3ddf94cc298c70e"
        );
        assert_eq!(
            derive(Hash::Sha512, 2),
            "9f26ab7c2287f7c34f87e7570b678f4117f405ed7c04ac3fcba277b48c19a67e\
             d46222857e83c962413b08e13114fff0defc83cc30837fb747e07a25e38fcf94"
        );
    }

    #[test]
    fn a_signature_with_any_other_bit_or_length_is_wrong() {
        for hash in [Hash::Sha256, Hash::Sha512] {
            let right = hash.sign(b"key", b"text");
            assert!(hash.is_signature(b"key", b"text", &right));
            assert!(!hash.is_signature(b"key", b"text", &right[1..]));
            assert!(!hash.is_signature(b"key", b"text", &[]));
            for bit in 0..right.len() * 8 {
                let mut wrong = right.clone();
                wrong[bit / 8] ^= 1 << (bit % 8);
                assert!(!hash.is_signature(b"key", b"text", &wrong), "bit {bit}");
            }
        }
    }
}
