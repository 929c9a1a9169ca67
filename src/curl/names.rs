//! Names of requests, derived from their methods and paths.

use crate::plan::limits;
use crate::plan::requests::check_name;

/// A name for a request that none of `taken` has: `orders`, `post-orders`, `post-orders-2`.
pub fn name(method: &str, path: &str, taken: &[String]) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let words =
        path.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
    let base = match words.collect::<Vec<_>>().join("-") {
        base if base.is_empty() => "root".to_owned(),
        base => tail(&base, limits::NAME_CHARS),
    };
    let is_free = |name: &String| check_name(name).is_ok() && !taken.contains(name);
    let method: String = method.to_ascii_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    let with_method = format!("{}-{base}", tail(&method, 8));
    let numbered = (2..).map(|number| format!("{with_method}-{number}"));
    let fitting = |name: String| tail(&name, limits::NAME_CHARS);
    [base.clone(), with_method.clone()].into_iter().chain(numbered).map(fitting).find(is_free).unwrap_or(base)
}

/// The last characters, which differ more often than the first ones.
fn tail(text: &str, most: usize) -> String {
    let cut = &text[text.len().saturating_sub(most)..];
    cut.trim_start_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_paths_and_are_unique_and_valid() {
        let mut taken = Vec::new();
        for (method, path, expected) in [
            ("GET", "/", "root"),
            ("GET", "/api/v1/orders/17?x=y", "api-v1-orders-17"),
            ("POST", "/api/v1/orders/17", "post-api-v1-orders-17"),
            ("POST", "/api/v1/orders/17?z", "post-api-v1-orders-17-2"),
            ("GET", "/status", "get-status"),
            ("GET", "/%C3%A9/a.js", "C3-A9-a-js"),
            ("GET", "/é", "get-root"),
        ] {
            let name = name(method, path, &taken);
            assert_eq!(name, expected);
            taken.push(name);
        }
        let long = format!("/{}", "abcdefghi/".repeat(20));
        for _ in 0..30 {
            let name = name("GET", &long, &taken);
            assert_eq!((check_name(&name), taken.contains(&name)), (Ok(()), false), "{name}");
            taken.push(name);
        }
    }
}
