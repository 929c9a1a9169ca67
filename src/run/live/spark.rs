//! Lines drawn with blocks.

/// Eighths of a line's height.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One block for each of the newest values, as many as fit into `columns`, from 0 to `top` or the highest of
/// them.
pub fn spark(values: &[u64], top: u64, columns: usize) -> String {
    let shown = &values[values.len().saturating_sub(columns)..];
    let top = shown.iter().copied().fold(top, u64::max).max(1);
    let block =
        |value: u64| BLOCKS[((u128::from(value) * 8).div_ceil(u128::from(top))).clamp(1, 8) as usize - 1];
    shown.iter().map(|value| block(*value)).collect()
}

/// `[=====>              ]`
pub fn bar(share: f64, length: usize) -> String {
    let full = (share.clamp(0.0, 1.0) * length as f64) as usize;
    let head = if full < length { ">" } else { "" };
    format!("[{:<length$}]", format!("{}{head}", "=".repeat(full)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_values_are_drawn_from_0_to_the_highest() {
        assert_eq!(spark(&[9, 0, 1, 4, 8], 0, 4), "▁▁▄█");
        assert_eq!(spark(&[4], 8, 10), "▄", "the plan is the top");
        assert_eq!(spark(&[16, 8], 8, 10), "█▄", "unless a value is higher");
        assert_eq!(spark(&[0, 0], 0, 2), "▁▁");
        assert_eq!((spark(&[], 5, 9), spark(&[1, 2], 0, 0)), (String::new(), String::new()));
        assert_eq!(spark(&[u64::MAX], 0, 1), "█");
    }

    #[test]
    fn a_bar_is_as_long_as_its_share() {
        assert_eq!(bar(0.0, 10), "[>         ]");
        assert_eq!(bar(0.5, 10), "[=====>    ]");
        assert_eq!(bar(1.0, 10), "[==========]");
        assert_eq!(bar(7.0, 4), "[====]");
    }
}
