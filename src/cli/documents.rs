//! Texts made from the definition of the flags: completions for shells, and manual pages.

use super::Floodgate;
use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

/// A script that completes the flags and commands of `floodgate`.
pub fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Floodgate::command(), "floodgate", &mut script);
    script
}

/// The manual page in roff, or that of a command.
///
/// # Errors
/// Names the commands if there is no such command.
pub fn manual(command: Option<&str>) -> Result<Vec<u8>, String> {
    let mut program = Floodgate::command();
    program.build();
    let page = match command {
        None => program,
        Some(name) => match program.find_subcommand(name) {
            Some(found) => found.clone(),
            None => {
                let names: Vec<&str> = program.get_subcommands().map(clap::Command::get_name).collect();
                return Err(format!("man {name}: use one of {}", names.join(", ")));
            }
        },
    };
    let mut text = Vec::new();
    // Writing to memory cannot fail.
    let _ = Man::new(page).source(concat!("floodgate ", env!("CARGO_PKG_VERSION"))).render(&mut text);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_has_a_script_with_the_flags() {
        for shell in [Shell::Bash, Shell::Elvish, Shell::Fish, Shell::PowerShell, Shell::Zsh] {
            let script = String::from_utf8(completions(shell)).expect("UTF-8");
            for word in ["floodgate", "replay", "markdown", "rate-per-driver"] {
                assert!(script.contains(word), "{word} for {shell}");
            }
        }
    }

    #[test]
    fn the_manual_has_a_page_for_each_command() {
        let page = |command| String::from_utf8(manual(command).expect("a page")).expect("UTF-8");
        assert!(page(None).starts_with(".ie") && page(None).contains(".SH SYNOPSIS"), "{}", page(None));
        assert!(page(Some("run")).contains("rate\\-per\\-driver"));
        assert!(page(Some("replay")).contains("kafka\\-client"));
        let source = format!("\"floodgate {}\"", env!("CARGO_PKG_VERSION"));
        assert!(page(Some("driver")).contains(&source), "{}", page(Some("driver")));
        assert!(manual(Some("rn")).is_err_and(|e| e.contains("run, ") && e.contains("driver, ")));
    }
}
