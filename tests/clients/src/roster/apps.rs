//! Big programs that people spend their day in.

use anyhow::Result;

use super::Client;
use crate::trial::{Step, Trial};

pub const CLIENTS: &[Client] = &[
    Client::new("chromium", "chromium", chromium),
    Client::new("firefox-esr", "firefox-esr", firefox),
    Client::new("mpv", "mpv", mpv),
    Client::new("libreoffice-writer", "libreoffice-writer", writer),
];

/// A page that tells by its title what was done to it.
const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><title>untouched</title>
<style>body{margin:0;font:16px sans-serif;background:linear-gradient(#dfe9f3,#fff)}h1{margin:1em;color:#245}
textarea{position:fixed;inset:30% 10% 10% 10%;font-size:20px}</style>
<h1>A page in a sleepy session</h1><textarea></textarea>
<script>const t=document.querySelector('textarea');let clicks=0;
const tell=()=>document.title=`clicks ${clicks} text ${t.value}.`;
document.onclick=()=>{clicks++;tell()};t.oninput=tell;onload=()=>document.title='loaded'</script>"#;

/// Clicks into the page's text field and types there.
fn use_page(trial: &mut Trial) -> Result<()> {
    let window = trial.shown()?;
    trial.title(&window, "loaded")?;
    let rect = window.rect;
    trial
        .hands
        .click((rect.x + rect.width / 2, rect.y + rect.height * 2 / 3))?;
    trial.title(&window, "clicks 1 text .")?;
    trial.saw(
        Step::Clicked,
        "the page heard the click and changed its title",
    );
    trial.hands.type_text("Hello, World!")?;
    trial.title(&window, "clicks 1 text Hello, World!.")?;
    trial.saw(
        Step::Typed,
        "the page got the text and put it into its title",
    );
    trial.photograph()?;
    trial.close(&window)?;
    trial.empty_again()
}

fn chromium(trial: &mut Trial) -> Result<()> {
    let page = trial.file("page.html", PAGE)?;
    let profile = format!("--user-data-dir={}", trial.home().join("profile").display());
    trial.start(
        "chromium",
        &[
            "--ozone-platform=wayland",
            // Its own sandbox takes namespaces, which a container or root may not have.
            "--no-sandbox",
            "--no-first-run",
            "--no-default-browser-check",
            "--password-store=basic",
            "--disable-gpu",
            "--disable-background-networking",
            &profile,
            &format!("file://{page}"),
        ],
        &[],
    )?;
    use_page(trial)
}

fn firefox(trial: &mut Trial) -> Result<()> {
    let page = trial.file("page.html", PAGE)?;
    let quiet = [
        ("browser.shell.checkDefaultBrowser", "false"),
        ("browser.aboutwelcome.enabled", "false"),
        ("browser.preonboarding.enabled", "false"),
        ("termsofuse.bypassNotification", "true"),
        ("datareporting.policy.dataSubmissionEnabled", "false"),
        ("datareporting.policy.firstRunURL", "\"\""),
        ("toolkit.telemetry.reportingpolicy.firstRun", "false"),
        ("browser.tabs.warnOnClose", "false"),
        ("browser.warnOnQuit", "false"),
        ("app.normandy.enabled", "false"),
    ];
    let lines: Vec<String> = quiet
        .iter()
        .map(|(name, value)| format!("user_pref(\"{name}\", {value});\n"))
        .collect();
    trial.file("profile/user.js", &lines.concat())?;
    let profile = trial.home().join("profile").display().to_string();
    trial.start(
        "firefox-esr",
        &[
            "--no-remote",
            "--profile",
            &profile,
            &format!("file://{page}"),
        ],
        &[
            ("MOZ_ENABLE_WAYLAND", "1"),
            ("MOZ_CRASHREPORTER_DISABLE", "1"),
        ],
    )?;
    use_page(trial)
}

fn mpv(trial: &mut Trial) -> Result<()> {
    let keys = trial.file(
        "input.conf",
        "MBTN_LEFT set title clicked\nk set title typed\n",
    )?;
    trial.start(
        "mpv",
        &[
            "--no-config",
            "--vo=wlshm",
            "--ao=null",
            "--osc=no",
            &format!("--input-conf={keys}"),
            "--title=playing",
            "--loop",
            "av://lavfi:testsrc2=size=640x360:rate=10",
        ],
        &[],
    )?;
    let window = trial.shown()?;
    trial.title(&window, "playing")?;
    let before = trial.look()?;
    trial.changes("the next picture of the film", &before)?;
    trial.hands.click(window.rect.middle())?;
    trial.title(&window, "clicked")?;
    trial.saw(Step::Clicked, "a button binding changed the title");
    trial.hands.type_text("k")?;
    trial.title(&window, "typed")?;
    trial.saw(Step::Typed, "a key binding changed the title");
    trial.photograph()?;
    trial.close(&window)?;
    trial.empty_again()
}

/// Nothing that pops up by itself.
pub const OFFICE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<item oor:path="/org.openoffice.Office.Common/Misc"><prop oor:name="ShowTipOfTheDay" oor:op="fuse"><value>false</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/Misc"><prop oor:name="FirstRun" oor:op="fuse"><value>false</value></prop></item>
<item oor:path="/org.openoffice.Setup/Product"><prop oor:name="LastTimeDonateShown" oor:op="fuse"><value>4000000000</value></prop></item>
<item oor:path="/org.openoffice.Setup/Product"><prop oor:name="LastTimeGetInvolvedShown" oor:op="fuse"><value>4000000000</value></prop></item>
<item oor:path="/org.openoffice.Setup/Product"><prop oor:name="ooSetupLastVersion" oor:op="fuse"><value>99.9</value></prop></item>
</oor:items>
"#;

/// A letter of one word.
pub const LETTER: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" office:version="1.3" office:mimetype="application/vnd.oasis.opendocument.text">
<office:body><office:text><text:p>middle</text:p></office:text></office:body></office:document>
"#;

fn writer(trial: &mut Trial) -> Result<()> {
    trial.file("office/user/registrymodifications.xcu", OFFICE)?;
    let letter = trial.file("letter.fodt", LETTER)?;
    let profile = format!(
        "-env:UserInstallation=file://{}",
        trial.home().join("office").display()
    );
    trial.start(
        "soffice",
        &["--writer", "--norestore", "--nologo", &profile, &letter],
        &[("SAL_USE_VCLPLUGIN", "gtk3")],
    )?;
    let window = trial.shown()?;
    trial.title(&window, "letter.fodt")?;
    super::toolkits::edit(trial, &window, "letter.fodt", "Start middle end")?;
    trial.close(&window)?;
    trial.empty_again()
}
