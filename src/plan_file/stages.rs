//! The stages of a rate: a text as for `--stages`, or a list of tables.

use super::keys::{STAGE, Table, unknown};
use super::value::{Value, Wrong, duration, in_order, not, number, text};
use crate::message::Stage;
use crate::plan::{limits, values};
use toml::de::DeValue;

/// Reads the stages.
///
/// # Errors
/// What is wrong with each of them.
pub fn read(value: &Value) -> Result<Vec<Stage>, Vec<Wrong>> {
    match value.get_ref() {
        DeValue::Array(list) if list.is_empty() => {
            Err(vec![(value.span(), "needs at least one stage; omit it to have none".to_owned())])
        }
        DeValue::Array(list) => {
            let mut wrong = Vec::new();
            let stages = list.iter().filter_map(|one| stage(one, &mut wrong)).collect();
            if wrong.is_empty() { Ok(stages) } else { Err(wrong) }
        }
        DeValue::String(_) => {
            let as_flag =
                |text: &str| values::stages(text).map_err(|why| why.replace("add --rate ", "add rate = "));
            text(value, "\"30s:100\"", as_flag).map(|stages| stages.0).map_err(|wrong| vec![wrong])
        }
        _ => Err(vec![not(value, "a string, like \"30s:100,1m:500\", or a list of { duration, rate }")]),
    }
}

fn stage(value: &Value, wrong: &mut Vec<Wrong>) -> Option<Stage> {
    let DeValue::Table(table) = value.get_ref() else {
        let (at, why) = not(value, "a table, like { duration = \"30s\", rate = 100 }");
        wrong.push((at, format!("each {why}")));
        return None;
    };
    let (mut length, mut rate) = (None, None);
    let before = wrong.len();
    for (key, at, value) in in_order(table) {
        let named = |(at, why): Wrong| (at, format!("{key}: {why}"));
        match key {
            "duration" => length = duration(value, values::duration).map_err(|e| wrong.push(named(e))).ok(),
            "rate" => {
                let parse = |text: &str| values::number(text, &(0.0..=*limits::FLEET_RATE_RPS.end()));
                rate = number(value, parse).map_err(|e| wrong.push(named(e))).ok();
            }
            _ => wrong.push((at, unknown(key, Table::Stage))),
        }
    }
    let missing = STAGE.iter().find(|key| !table.iter().any(|(own, _)| own.get_ref() == **key));
    if let Some(missing) = missing.filter(|_| wrong.len() == before) {
        let why = format!("a stage has no {missing}: use {{ duration = \"30s\", rate = 100 }}");
        wrong.push((value.span(), why));
    }
    match (length, rate, wrong.len() == before) {
        (Some(length), Some(rate), true) => Some(Stage { duration_ms: length.as_millis() as u64, rate }),
        _ => None,
    }
}
