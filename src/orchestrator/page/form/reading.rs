//! From what was typed to a plan. Every problem is found at once, each with its field.

use super::fields::{FIELDS, Kind};
use super::{Form, pairs};
use crate::message::{OnDriverLoss, RequestSpec, TestConfig, TestType, Totals};
use crate::plan::request::Request;
use crate::plan::{Plan, PlanError};
use crate::thresholds;
use crate::units::{clip, parse_duration};
use std::str::FromStr;

/// Maximum number of characters of a typed value that a problem repeats.
const MAX_SHOWN: usize = 40;

impl Form {
    /// The plan of a form that was sent. If anything is wrong, the error is the form with its problems.
    pub fn read(body: &[u8]) -> Result<(TestConfig, Form), Box<Form>> {
        let mut form = Form::default();
        let typed = match pairs::read(body) {
            Ok(typed) => typed,
            Err(why) => return Err(Box::new(form.with_problem(&why))),
        };
        for (name, value) in typed {
            if let Some(field) = FIELDS.iter().find(|field| field.name == name) {
                // Browsers end the lines of a form with CR LF.
                form.values.insert(field.name, value.replace("\r\n", "\n"));
            }
        }
        let config = form.config();
        if form.problems.is_empty() {
            let plan = Plan::as_written(&config).err();
            let conditions = thresholds::check(&config).err();
            plan.iter().chain(&conditions).flatten().for_each(|error| form.place(error));
        }
        let is_fine = form.problems.is_empty() && form.problem.is_none();
        if is_fine { Ok((config, form)) } else { Err(Box::new(form)) }
    }

    /// Puts an error of the plan beside the field that it concerns.
    fn place(&mut self, error: &PlanError) {
        let concerns =
            |known: &&str| *known == error.field || known.starts_with(&format!("{}.", error.field));
        match FIELDS.iter().find(|field| field.sets.iter().any(&concerns)) {
            Some(field) => self.complain(field.name, error.reason.clone()),
            None => self.problem = Some(error.to_string()),
        }
    }

    fn complain(&mut self, name: &'static str, why: String) {
        self.problems.entry(name).or_insert(why);
    }

    fn config(&mut self) -> TestConfig {
        let test_type = match self.choice("type") {
            Some("TSUNAMI") => TestType::Tsunami,
            _ => TestType::Avalanche,
        };
        let test_id = self.text("id").unwrap_or_else(|| format!("test-{}", uuid::Uuid::new_v4()));
        let mut config = TestConfig::new(&test_id, test_type);
        (config.target_url, config.ab) = self.targets();
        config.duration_ms = self.ms("duration").map(whole_ms);
        config.warmup_ms = self.ms("warmup").map(whole_ms);
        config.timeout_ms = self.ms("timeout").map(whole_ms);
        config.test_message_delay = self.ms("delay");
        let fleet = Totals {
            rate: self.number("rate", "2000 or 0.5"),
            requests: self.number("requests", "100000"),
            connections: self.number("connections", "64"),
            ..Totals::default()
        };
        config.fleet = Some(fleet).filter(|fleet| *fleet != Totals::default());
        config.thresholds = self.lines("thresholds");
        config.on_driver_loss = (self.choice("loss") == Some("fail")).then_some(OnDriverLoss::Fail);
        let request = RequestSpec {
            method: self.text("method"),
            headers: self.headers(),
            // Blanks may be part of a body.
            body: self.values.get("body").filter(|body| !body.is_empty()).cloned(),
            ..RequestSpec::default()
        };
        config.request = Some(request).filter(|request| *request != RequestSpec::default());
        config
    }

    /// The target, or both targets of an A/B test.
    fn targets(&mut self) -> (Option<String>, Vec<String>) {
        match (self.text("url"), self.text("ab")) {
            (url, None) => (url, Vec::new()),
            (None, Some(_)) => {
                self.complain("url", "is needed for a comparison with the second URL".to_owned());
                (None, Vec::new())
            }
            (Some(a), Some(b)) => {
                // A plan has both in one field, the form has two.
                for (name, url) in [("url", &a), ("ab", &b)] {
                    if let Err(why) = Request::get(url) {
                        self.complain(name, why);
                    }
                }
                (None, vec![a, b])
            }
        }
    }

    /// What was typed, without blanks around it; `None` if nothing was.
    fn text(&self, name: &str) -> Option<String> {
        let text = self.values.get(name)?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn lines(&self, name: &str) -> Vec<String> {
        let lines = self.values.get(name).into_iter().flat_map(|text| text.lines());
        lines.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
    }

    fn number<T: FromStr>(&mut self, name: &'static str, example: &str) -> Option<T> {
        let text = self.text(name)?;
        let number = text.replace('_', "").parse().ok();
        if number.is_none() {
            let shown = clip(&text, MAX_SHOWN);
            self.complain(name, format!("must be a number, like {example}, not {shown:?}"));
        }
        number
    }

    fn ms(&mut self, name: &'static str) -> Option<f64> {
        match parse_duration(&self.text(name)?) {
            Ok(duration) => Some(duration.as_secs_f64() * 1_000.0),
            Err(why) => {
                self.complain(name, why);
                None
            }
        }
    }

    fn choice(&mut self, name: &'static str) -> Option<&'static str> {
        let text = self.text(name)?;
        let field = FIELDS.iter().find(|field| field.name == name)?;
        let Kind::Choice(choices) = field.kind else { return None };
        let found = choices.iter().map(|(value, _)| *value).find(|value| *value == text);
        if found.is_none() {
            let known: Vec<_> = choices.iter().map(|(value, _)| *value).collect();
            self.complain(name, format!("use {}, not {:?}", known.join(" or "), clip(&text, MAX_SHOWN)));
        }
        found
    }

    fn headers(&mut self) -> Vec<(String, String)> {
        let mut headers = Vec::new();
        for line in self.lines("headers") {
            match line.split_once(':') {
                Some((name, value)) => headers.push((name.trim().to_owned(), value.trim().to_owned())),
                None => {
                    // The line may be a secret.
                    self.complain("headers", "a line has no colon: write it like X-Key: value".to_owned());
                }
            }
        }
        headers
    }
}

/// Parts of a millisecond count as a whole one, so that 1us is not 0.
fn whole_ms(ms: f64) -> u64 {
    ms.ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_form_is_a_plan() {
        let body =
            b"url=http%3A%2F%2F127.0.0.1%3A8000%2Fping&rate=2_000&duration=2m&requests=&connections=64\
            &type=AVALANCHE&delay=&warmup=5s&timeout=&method=post&headers=X-Key%3A+a%3Ab%0D%0AY%3Az\
            &body=+a%0D%0Ab&loss=fail&id=first&thresholds=";
        let (config, _) = Form::read(body).expect("a plan");
        assert_eq!(
            serde_json::to_value(config).expect("JSON"),
            json!({"test_id": "first", "test_type": "AVALANCHE", "target_url": "http://127.0.0.1:8000/ping",
                "duration_ms": 120_000, "warmup_ms": 5_000, "fleet": {"rate": 2_000, "connections": 64},
                "request": {"method": "post", "headers": [["X-Key", "a:b"], ["Y", "z"]], "body": " a\nb"},
                "on_driver_loss": "fail"})
        );
        let (config, _) = Form::read(b"type=TSUNAMI&delay=10ms&duration=30s").expect("a plan");
        assert_eq!((config.test_message_delay, config.fleet), (Some(10.0), None));
        assert!(config.test_id.starts_with("test-"));
    }

    fn problems(body: &str) -> Vec<(&'static str, String)> {
        let form = Form::read(body.as_bytes()).expect_err(body);
        form.problems.into_iter().chain(form.problem.map(|why| ("", why))).collect()
    }

    #[test]
    fn two_urls_are_an_ab_test() {
        let (config, _) = Form::read(b"url=http%3A%2F%2Fold%2F&ab=+http%3A%2F%2Fnew%2F+").expect("a plan");
        assert_eq!((config.target_url, config.ab), (None, vec!["http://old/".into(), "http://new/".into()]));
        let (config, _) = Form::read(b"url=http%3A%2F%2Fold%2F&ab=+").expect("a plan");
        assert_eq!((config.target_url.as_deref(), config.ab.len()), (Some("http://old/"), 0));
        let names = |body: &str| problems(body).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names("ab=http%3A%2F%2Fnew%2F"), ["url"]);
        assert_eq!(names("url=http%3A%2F%2Fold%2F&ab=ftp%3A%2F%2Fnew%2F"), ["ab"]);
        assert_eq!(names("url=old&ab=http%3A%2F%2Fnew%2F"), ["url"]);
    }

    #[test]
    fn every_problem_has_its_field() {
        let found = problems("url=ftp%3A%2F%2Fh&rate=-5&duration=30&connections=1.5&type=x&id=a+b");
        let names: Vec<_> = found.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["connections", "duration", "type"], "what cannot be read, first");
        assert!(found[1].1.contains("like 250us, 10ms, 1.5s, 2m or 1h"), "{found:?}");
        let found = problems("url=ftp%3A%2F%2Fh&rate=-5&duration=99h999999&id=a+b");
        assert_eq!(found.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["duration"]);
        let found = problems("url=ftp%3A%2F%2Fh&rate=-5&duration=9999h&id=a+b");
        let names: Vec<_> = found.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["duration", "id", "rate", "url"], "{found:?}");
        assert!(found[2].1.starts_with("must be "), "{found:?}");
        let found = problems("method=G+ET&rate=1");
        assert_eq!(found[0].0, "method", "{found:?}");
        let found = problems("thresholds=p99+%3E+250ms%0D%0Ap99+%3E+soon&rate=0");
        assert_eq!(found.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["rate", "thresholds"]);
        assert!(found[1].1.contains("soon"), "{found:?}");
        assert_eq!(problems("a=%zz")[0].0, "");
    }
}
