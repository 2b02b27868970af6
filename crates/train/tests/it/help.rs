//! What `--help` says.

use clap::CommandFactory;
use train::flags::Flags;

#[test]
fn help_names_every_flag_and_its_default() {
    // The width of the terminal that runs the tests is not ours to know.
    insta::assert_snapshot!(Flags::command().term_width(100).render_long_help().to_string());
}
