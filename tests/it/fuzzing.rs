//! Every parser of external input, with inputs from a seeded generator. `just fuzz` tries a million more.

use floodgate::fuzzing::{Generator, TARGETS, attempt};
use std::collections::BTreeSet;
use std::path::Path;

/// Inputs per parser.
const INPUTS: usize = 400;

#[test]
fn no_input_makes_a_parser_panic() {
    for (seed, target) in TARGETS.iter().enumerate() {
        let (seeds, mut generator) = ((target.seeds)(), Generator::new(seed as u64));
        for input in seeds.iter().cloned().chain((0..INPUTS).map(|_| generator.input(&seeds))) {
            attempt(target, &input).unwrap_or_else(|what| panic!("{what}"));
        }
    }
}

#[test]
fn the_generator_depends_on_its_seed_alone_and_makes_many_different_inputs() {
    let seeds = vec![b"{\"a\": 12}".to_vec()];
    let inputs = |seed| {
        let mut generator = Generator::new(seed);
        (0..500).map(|_| generator.input(&seeds)).collect::<Vec<_>>()
    };
    assert_eq!(inputs(7), inputs(7));
    let different: BTreeSet<_> = inputs(7).into_iter().chain(inputs(8)).collect();
    assert!(different.len() > 700, "{}", different.len());
    assert!(different.contains(&seeds[0]), "the unchanged seed too");
}

#[test]
fn a_panic_is_reported_with_its_input() {
    let broken = floodgate::fuzzing::Target {
        name: "broken",
        run: |bytes| assert!(bytes.is_empty(), "full"),
        ..TARGETS[0]
    };
    assert_eq!(attempt(&broken, b""), Ok(()));
    assert_eq!(attempt(&broken, b"a\xff"), Err("broken panicked (full) over b\"a\\xff\"".to_owned()));
}

#[test]
fn every_parser_has_a_target_for_cargo_fuzz() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).expect("fuzz/Cargo.toml");
    let files = std::fs::read_dir(folder.join("fuzz_targets")).expect("fuzz/fuzz_targets");
    let files: BTreeSet<String> =
        files.map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned()).collect();
    let expected: BTreeSet<String> = TARGETS.iter().map(|target| format!("{}.rs", target.name)).collect();
    assert_eq!(files, expected);
    for target in TARGETS {
        let text = std::fs::read_to_string(folder.join("fuzz_targets").join(format!("{}.rs", target.name)));
        assert!(text.expect("source").contains(&format!("entries::{}(", target.name)), "{}", target.name);
        assert!(manifest.contains(&format!("name = \"{}\"", target.name)), "{}", target.name);
    }
}
