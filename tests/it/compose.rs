//! `deploy/compose.yaml` fits the programs.

use clap::CommandFactory;
use floodgate::cli::{DriverArgs, OrchestratorArgs, TargetArgs, try_parse};
use std::collections::BTreeSet;

const COMPOSE: &str = include_str!("../../deploy/compose.yaml");

/// The values of the lines with this key.
fn lines(key: &str) -> impl Iterator<Item = &'static str> {
    let start = format!("{key}: ");
    COMPOSE.lines().filter_map(move |line| line.trim().strip_prefix(&start).map(str::trim))
}

#[test]
fn the_programs_understand_the_commands_of_the_compose_file() {
    let mut roles = Vec::new();
    for list in lines("command") {
        let mut words: Vec<String> = serde_json::from_str(list).expect("a list of words");
        roles.push(words[0].clone());
        let variables = match words[0].as_str() {
            "orchestrator" => &["--kafka", "kafka:9092", "--token", "a"][..],
            "driver" => &["--kafka", "kafka:9092", "--target", "http://target:8000/ping"],
            _ => &[],
        };
        words.extend(variables.iter().map(|word| (*word).to_owned()));
        let parsed = match words[0].as_str() {
            "orchestrator" => try_parse::<OrchestratorArgs>(&words).and_then(|args| args.config()).map(drop),
            "driver" => try_parse::<DriverArgs>(&words).and_then(|args| args.config()).map(drop),
            "target" => try_parse::<TargetArgs>(&words).map(drop),
            other => panic!("no role is called {other:?}"),
        };
        parsed.unwrap_or_else(|error| panic!("{list}: {error}"));
    }
    assert_eq!(roles, ["target", "orchestrator", "driver", "driver", "driver"]);
}

#[test]
fn the_programs_read_the_variables_of_the_compose_file() {
    let known = [OrchestratorArgs::command(), DriverArgs::command()]
        .iter()
        .flat_map(|command| command.get_arguments().filter_map(|flag| flag.get_env().map(ToOwned::to_owned)))
        .map(|name| name.to_string_lossy().into_owned())
        .collect::<BTreeSet<String>>();
    let keys = COMPOSE.lines().filter_map(|line| line.trim().split_once(": ").map(|(key, _)| key));
    let used: BTreeSet<&str> = keys.filter(|key| key.starts_with("FLOODGATE_")).collect();
    assert_eq!(used.len(), 5, "{used:?}");
    for name in used {
        assert!(known.contains(name), "no program reads {name}");
    }
}
