//! Whole screens, held by files in `tests/it/snapshots/`. `just snapshots` writes them; read the difference
//! before you commit it.

use testbed::node::Node;
use testbed::sts::Sts;
use testbed::world::{Finished, World};

use crate::settled::settled;

/// What the program printed on its standard output is what the file of this name says.
pub(crate) fn assert_screen(name: &str, world: &World, finished: &Finished) {
    let servers = [world.issuer_server().map(Sts::address), world.node().map(Node::address)];
    let settled = servers.into_iter().flatten().fold(settled(world, &finished.stdout), |text, server| {
        text.replace(&format!(":{}", server.port()), ":PORT")
    });
    assert_text(name, &settled);
}

pub(crate) fn assert_text(name: &str, text: &str) {
    assert!(!text.contains('\u{1b}'), "colors where no terminal is: {text}");
    let text = text.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    // Shown only if the test fails.
    println!("If you changed this screen on purpose, run `just snapshots`, and read the difference in git.");
    settings.bind(|| insta::assert_snapshot!(name, text));
}
