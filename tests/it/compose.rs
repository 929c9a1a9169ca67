//! The commands in `deploy/compose.yaml` fit the programs; `deploy.rs` checks its variables.

use floodgate::cli::{DriverArgs, OrchestratorArgs, TargetArgs, try_parse};

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
