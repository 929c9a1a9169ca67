//! Maps keys to partitions as the Java client does, so that the records of one node stay in order even if
//! other producers write to a topic that an administrator created with several partitions.

/// The partition of `key` among `partitions` (at least 1): murmur2 as in Kafka's `BuiltInPartitioner`.
/// Records with an empty key are sent without one, always to the first partition to keep their order too.
pub fn choose(key: &str, partitions: usize) -> usize {
    if key.is_empty() || partitions <= 1 {
        return 0;
    }
    (murmur2(key.as_bytes()) & 0x7fff_ffff) as usize % partitions
}

/// MurmurHash2, 32 bits, with Kafka's seed: `org.apache.kafka.common.utils.Utils.murmur2`.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    let mut hash = SEED ^ data.len() as u32;
    let words = data.chunks_exact(4);
    let tail = words.remainder();
    for word in words {
        let mut k = little_endian(word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !tail.is_empty() {
        hash = (hash ^ little_endian(tail)).wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ hash >> 15
}

fn little_endian(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_match_the_java_client() {
        // From UtilsTest.testMurmur2 of Apache Kafka.
        for (text, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()) as i32, hash, "{text}");
        }
    }

    #[test]
    fn keys_are_spread_and_stay_put() {
        let mut seen = [0; 4];
        for n in 0..400 {
            let key = format!("driver-{n}");
            assert_eq!(choose(&key, 4), choose(&key, 4));
            seen[choose(&key, 4)] += 1;
        }
        assert!(seen.iter().all(|count| *count > 50), "{seen:?}");
        assert_eq!((choose("", 4), choose("x", 1), choose("x", 0)), (0, 0, 0));
    }
}
