//! Student's t distribution.
//!
//! The distribution function is a regularized incomplete beta function: NIST Digital Library of Mathematical
//! Functions, 8.17 (the continued fraction is 8.17.22, <https://dlmf.nist.gov/8.17>), evaluated by Lentz's
//! method as modified by Thompson and Barnett (Journal of Computational Physics 64, 1986). The logarithm of
//! the gamma function is Stirling's series after an upward shift (5.11.1, <https://dlmf.nist.gov/5.11>).

/// Steps of the continued fraction; a few dozen suffice for every number of degrees of freedom.
const MAX_STEPS: u32 = 500;
/// Where the continued fraction has converged.
const PRECISION: f64 = 1e-14;
/// The argument from which Stirling's series is exact to 14 digits.
const STIRLING_FROM: f64 = 12.0;
/// Halvings of an interval that holds a quantile.
const HALVINGS: u32 = 200;

/// The probability of a value above `t` with `freedom` degrees of freedom (any positive number).
pub fn above(t: f64, freedom: f64) -> f64 {
    if t.is_infinite() || !freedom.is_finite() {
        return if t > 0.0 { 0.0 } else { 1.0 };
    }
    let tail = 0.5 * beta(freedom / (freedom + t * t), freedom / 2.0, 0.5);
    if t >= 0.0 { tail } else { 1.0 - tail }
}

/// The value that is exceeded with probability `tail` (above 0, at most 0.5).
pub fn quantile(tail: f64, freedom: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while above(high, freedom) > tail && high < 1e12 {
        high *= 2.0;
    }
    for _ in 0..HALVINGS {
        let middle = (low + high) / 2.0;
        if above(middle, freedom) > tail { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// The regularized incomplete beta function.
fn beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    // The fraction converges fast below this; above, the function's symmetry leads there.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta(1.0 - x, b, a);
    }
    let front = a * x.ln() + b * (-x).ln_1p() + log_gamma(a + b) - log_gamma(a) - log_gamma(b);
    front.exp() * fraction(x, a, b) / a
}

fn fraction(x: f64, a: f64, b: f64) -> f64 {
    let safe = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / safe(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for step in 1..=MAX_STEPS {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        for term in [even, odd] {
            d = 1.0 / safe(1.0 + term * d);
            c = safe(1.0 + term / c);
            value *= c * d;
        }
        if (c * d - 1.0).abs() < PRECISION {
            break;
        }
    }
    value
}

/// For positive arguments.
fn log_gamma(mut x: f64) -> f64 {
    let mut shift = 0.0;
    while x < STIRLING_FROM {
        shift += x.ln();
        x += 1.0;
    }
    let square = x * x;
    let series = [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1_260.0, -1.0 / 1_680.0, 1.0 / 1_188.0];
    let sum = series.iter().rev().fold(0.0, |sum, factor| sum / square + factor) / x;
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + sum - shift
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Table A.2 of the NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2; and freedoms of 1 and 2
    /// have closed forms.
    #[test]
    fn quantiles_are_those_of_the_tables() {
        let table = [
            (1.0, 0.025, 12.706),
            (2.0, 0.025, 4.303),
            (4.0, 0.025, 2.776),
            (9.0, 0.025, 2.262),
            (9.0, 0.005, 3.250),
            (18.0, 0.025, 2.101),
            (30.0, 0.001, 3.385),
            (100.0, 0.05, 1.660),
        ];
        for (freedom, tail, expected) in table {
            let found = quantile(tail, freedom);
            assert!((found - expected).abs() < 0.000_6, "{freedom} {tail}: {found}");
        }
        assert!((quantile(0.025, 1e9) - 1.959_964).abs() < 1e-5, "the normal distribution");
        let exact = (std::f64::consts::PI * (0.5 - 1e-6)).tan();
        assert!((quantile(1e-6, 1.0) / exact - 1.0).abs() < 1e-8, "Cauchy");
        for t in [0.0, 0.3, 2.0, 50.0] {
            let exact = 0.5 - t / (2.0 * (t * t + 2.0f64).sqrt());
            assert!((above(t, 2.0) - exact).abs() < 1e-12, "{t}");
            assert!((above(t, 7.3) + above(-t, 7.3) - 1.0).abs() < 1e-12, "{t}");
        }
    }

    #[test]
    fn the_gamma_function_of_known_arguments() {
        assert!((log_gamma(0.5) - std::f64::consts::PI.sqrt().ln()).abs() < 1e-12);
        assert!(log_gamma(1.0).abs() < 1e-12 && log_gamma(2.0).abs() < 1e-12);
        assert!((log_gamma(11.0) - 3_628_800f64.ln()).abs() < 1e-11);
    }

    #[test]
    fn there_is_no_value_above_infinity() {
        assert_eq!((above(f64::INFINITY, 3.0), above(f64::NEG_INFINITY, 3.0)), (0.0, 1.0));
    }
}
