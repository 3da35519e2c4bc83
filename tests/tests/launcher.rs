//! The launcher is not what apps live by: when it is lost and started again, they go on with all they hold.

use anyhow::{Result, ensure};
use overwinter_tests::test_app::stage::Stage;
use overwinter_tests::test_app::words::Do;

#[test]
fn apps_go_on_when_the_launcher_is_started_again() -> Result<()> {
    let mut stage = Stage::new()?;
    let (mut app, held) = stage.open("a letter")?;
    app.autosave(&held, 1, b"dear reader")?;
    stage.session.restart_launcher()?;
    // The session connects to the new launcher when it next starts something.
    let (mut other, _) = stage.open("another one")?;
    ensure!(app.autosave(&held, 2, b"dear reader, yours")? == 2);
    stage.group_is(&held.group, "live")?;
    // Its end is still seen.
    app.end(&Do::End)?;
    stage.group_is(&held.group, "asleep")?;
    ensure!(other.register("1.0").is_ok());
    Ok(())
}
