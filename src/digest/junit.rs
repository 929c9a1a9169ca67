//! A result as JUnit XML: one test case for each threshold, and always the same four about the test itself.
//!
//! There is no standard; this is the subset that Jenkins' schema (`junit-10.xsd`) and the readers of GitHub
//! and GitLab agree on. Times are in seconds. The test's running time belongs to the first case, so that the
//! cases sum up to the suite.

use super::checks::{Answer, COMPLETED, Check, of_test, of_thresholds};
use super::escape::xml;
use crate::stats::summary::Summary;
use std::fmt::Write as _;

/// What the cases about the test itself belong to.
const TEST: &str = "floodgate.test";
/// What the thresholds belong to.
const THRESHOLDS: &str = "floodgate.thresholds";

/// The whole document. `started` is when the test began, as ISO 8601 in UTC without a zone.
pub fn render(summary: &Summary, started: Option<&str>) -> String {
    let test = of_test(summary).into_iter().map(|check| (TEST, check));
    let thresholds = of_thresholds(summary).into_iter().map(|check| (THRESHOLDS, check));
    let cases: Vec<(&str, Check)> = test.chain(thresholds).collect();
    let mut suite = Suite::new(started, summary.total.elapsed_s);
    suite.property("test_id", &summary.test_id);
    suite.property("test_type", &summary.test_type);
    suite.property("state", summary.state.as_str());
    for (at, (class, check)) in cases.iter().enumerate() {
        suite.case(class, check, if at == 0 { summary.total.elapsed_s } else { 0.0 });
    }
    suite.end(&summary.verdict.join("\n"))
}

/// The document of a test that could not start or whose result was lost: its first case is an error.
pub fn without_result(error: &str) -> String {
    let mut suite = Suite::new(None, 0.0);
    suite.error(error);
    suite.end(error)
}

/// A suite being written.
struct Suite<'a> {
    started: Option<&'a str>,
    elapsed_s: f64,
    properties: String,
    cases: String,
    /// Cases, and how many of them failed, could not be run, and were skipped.
    counts: [usize; 4],
}

impl<'a> Suite<'a> {
    fn new(started: Option<&'a str>, elapsed_s: f64) -> Suite<'a> {
        Suite { started, elapsed_s, properties: String::new(), cases: String::new(), counts: [0; 4] }
    }

    fn property(&mut self, name: &str, value: &str) {
        let _ = writeln!(self.properties, "      <property name=\"{name}\" value=\"{}\"/>", xml(value));
    }

    fn case(&mut self, class: &str, check: &Check, seconds: f64) {
        self.counts[0] += 1;
        let name = xml(&check.name);
        let _ =
            write!(self.cases, "    <testcase name=\"{name}\" classname=\"{class}\" time=\"{seconds:.3}\"");
        let inside = match &check.answer {
            Answer::Passed => {
                self.cases.push_str("/>\n");
                return;
            }
            Answer::Failed(reasons) => {
                self.counts[1] += 1;
                failure("failure", &reasons.join("\n"))
            }
            Answer::Unknown(why) => {
                self.counts[3] += 1;
                format!("<skipped message=\"{}\"/>", xml(why))
            }
        };
        let _ = writeln!(self.cases, ">\n      {inside}\n    </testcase>");
    }

    fn error(&mut self, error: &str) {
        self.counts = [1, 0, 1, 0];
        let _ = writeln!(
            self.cases,
            "    <testcase name=\"{COMPLETED}\" classname=\"{TEST}\" time=\"0.000\">\n      {}\n    \
             </testcase>",
            failure("error", error)
        );
    }

    fn end(self, log: &str) -> String {
        let [tests, failures, errors, skipped] = self.counts;
        let time = format!("{:.3}", self.elapsed_s);
        let counts = format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"");
        let at = self.started.map_or(String::new(), |at| format!(" timestamp=\"{}\"", xml(at)));
        let properties = match self.properties.as_str() {
            "" => String::new(),
            properties => format!("    <properties>\n{properties}    </properties>\n"),
        };
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <testsuites name=\"floodgate\" {counts} time=\"{time}\">\n  \
             <testsuite name=\"floodgate\" {counts} skipped=\"{skipped}\" time=\"{time}\"{at}>\n\
             {properties}{}    <system-out>{}</system-out>\n  \
             </testsuite>\n</testsuites>\n",
            self.cases,
            xml(log)
        )
    }
}

/// The first line as the message, everything as the text.
fn failure(element: &str, text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    format!("<{element} message=\"{}\" type=\"floodgate\">{}</{element}>", xml(first), xml(text))
}

#[cfg(test)]
mod tests {
    use super::super::samples::{finding, good, row, threshold};
    use super::*;
    use crate::stats::states::DriverRowState;
    use crate::stats::verdict::Severity;

    #[test]
    fn a_good_test() {
        let expected = "\
<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<testsuites name=\"floodgate\" tests=\"4\" failures=\"0\" errors=\"0\" time=\"10.002\">
  <testsuite name=\"floodgate\" tests=\"4\" failures=\"0\" errors=\"0\" skipped=\"0\" time=\"10.002\" \
timestamp=\"2026-11-28T17:10:10\">
    <properties>
      <property name=\"test_id\" value=\"t-1\"/>
      <property name=\"test_type\" value=\"AVALANCHE\"/>
      <property name=\"state\" value=\"completed\"/>
    </properties>
    <testcase name=\"the test completed\" classname=\"floodgate.test\" time=\"10.002\"/>
    <testcase name=\"all drivers finished\" classname=\"floodgate.test\" time=\"0.000\"/>
    <testcase name=\"the generator kept up with the schedule\" classname=\"floodgate.test\" time=\"0.000\"/>
    <testcase name=\"all counts add up\" classname=\"floodgate.test\" time=\"0.000\"/>
    <system-out>OK: schedule met, no errors.</system-out>
  </testsuite>
</testsuites>
";
        assert_eq!(render(&good(), Some("2026-11-28T17:10:10")), expected);
    }

    #[test]
    fn failures_and_unknown_answers_are_counted_and_escaped() {
        let mut summary = good();
        summary.thresholds =
            vec![threshold("p99 > 3ms", Some(3.456), false), threshold("max < 1ms", None, true)];
        summary.drivers.push(row("<evil> & \"co\"\u{1b}", DriverRowState::Lost));
        summary.findings.push(finding("generator_lag", Severity::Warning, "Late.\nVery late."));
        let text = render(&summary, None);
        assert!(text.contains("tests=\"6\" failures=\"3\" errors=\"0\" skipped=\"1\""), "{text}");
        let case = "name=\"fail if p99 &gt; 3ms\" classname=\"floodgate.thresholds\" time=\"0.000\">";
        let failed = text.split(case).nth(1).expect("the case of the threshold");
        assert!(failed.starts_with("\n      <failure message=\"The condition "), "{text}");
        assert!(failed.contains("was true: 3.46 ms.\" type=\"floodgate\">The condition "), "{text}");
        assert!(text.contains("<skipped message=\"nothing was measured\"/>"), "{text}");
        assert!(text.contains("&lt;evil&gt; &amp; &quot;co&quot;\u{fffd} (lost)"), "{text}");
        assert!(text.contains("message=\"Late.\" type=\"floodgate\">Late.&#10;Very late.<"), "{text}");
        assert!(!text.contains("timestamp"), "{text}");
    }

    #[test]
    fn the_names_of_cases_contain_no_figures_of_the_run() {
        let names = |text: &str| -> Vec<String> {
            let parts = text.split("<testcase name=\"").skip(1);
            parts.map(|part| part.split('"').next().unwrap_or_default().to_owned()).collect()
        };
        let mut other = good();
        other.state = crate::stats::states::RunState::Aborted;
        other.conservation.planned = 7;
        other.total.requests = 5;
        assert_eq!(names(&render(&good(), None)), names(&render(&other, None)));
        let lost = without_result("cannot listen");
        assert_eq!(names(&lost)[0], names(&render(&good(), None))[0]);
        assert!(lost.contains("tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\""), "{lost}");
        assert!(lost.contains("<error message=\"cannot listen\""), "{lost}");
    }
}
