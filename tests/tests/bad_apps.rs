//! What bad input gets, II: apps that are silent, late or double when they are asked to save or to let go, apps that die
//! meanwhile, and payloads that are not what they say. See `bad_input.rs` for what is held each time.

use anyhow::{Result, ensure};
use overwinter_tests::test_app::puppet::{released, saved};
use overwinter_tests::test_app::stage::{Stage, has_three_parts};
use overwinter_tests::test_app::words::{Do, Payload};

#[test]
fn an_app_that_does_not_answer_a_save_keeps_its_group_and_a_late_answer_is_an_autosave()
-> Result<()> {
    let stage = Stage::new()?;
    let (mut app, held) = stage.open("slow")?;
    let hibernate = stage.begin(&["hibernate", &held.group])?;
    let order = app.asked_to_save()?;
    let text = hibernate.fails()?;
    has_three_parts(&text, "did not hand over its state in time")?;
    let status = stage.group_is(&held.group, "live")?;
    ensure!(status["generation"] == 0, "{status}");
    has_three_parts(&status["error"].to_string(), "did not hand over its state")?;
    stage.goes_on()?;

    app.tell_well(&saved(&order, 3, Payload::Honest(b"late".to_vec())))?;
    ensure!(app.stored(3)? == 1);
    let status = stage.group_is(&held.group, "live")?;
    ensure!(status["generation"] == 1, "{status}");

    stage.put_to_sleep(app, &held, 4, b"in time")?;
    stage.wakes_with(&held.group, b"in time")?;
    Ok(())
}

#[test]
fn an_app_that_hangs_when_it_is_to_let_go_stays_open() -> Result<()> {
    let stage = Stage::new()?;
    let (mut app, held) = stage.open("stuck")?;
    let hibernate = stage.begin(&["hibernate", &held.group])?;
    let order = app.asked_to_save()?;
    app.tell_well(&saved(&order, 1, Payload::Honest(b"one".to_vec())))?;
    let first = app.asked_to_release()?;
    app.stop(true)?;
    let text = hibernate.fails()?;
    has_three_parts(
        &text,
        "did not answer within 3 s when it was asked to let go",
    )?;
    stage.group_is(&held.group, "live")?;
    stage.goes_on()?;

    // It goes on, changed; and lets go the next time.
    app.stop(false)?;
    app.tell_well(&Do::Changed {
        op: first.op,
        group: first.group.clone(),
        lease: first.lease,
        revision: 2,
    })?;
    stage.group_is(&held.group, "live")?;
    stage.put_to_sleep(app, &held, 2, b"two")?;
    stage.wakes_with(&held.group, b"two")?;
    Ok(())
}

#[test]
fn an_app_that_lets_go_after_its_time_is_asleep_with_what_it_saved() -> Result<()> {
    let stage = Stage::new()?;
    let (mut app, held) = stage.open("late")?;
    let hibernate = stage.begin(&["hibernate", &held.group])?;
    let order = app.asked_to_save()?;
    app.tell_well(&saved(&order, 1, Payload::Honest(b"one".to_vec())))?;
    let order = app.asked_to_release()?;
    hibernate.fails()?;
    stage.group_is(&held.group, "live")?;
    app.release(&order)?;
    app.end(&Do::End)?;
    stage.group_is(&held.group, "asleep")?;
    stage.wakes_with(&held.group, b"one")?;
    Ok(())
}

#[test]
fn an_app_that_answers_twice_is_taken_at_its_first_word() -> Result<()> {
    let stage = Stage::new()?;
    let (mut app, held) = stage.open("twice")?;
    let hibernate = stage.begin(&["hibernate", &held.group])?;
    let order = app.asked_to_save()?;
    app.tell_well(&saved(&order, 1, Payload::Honest(b"first".to_vec())))?;
    app.tell_well(&saved(&order, 1, Payload::Honest(b"second".to_vec())))?;
    let order = app.asked_to_release()?;
    app.release(&order)?;
    app.release(&order)?;
    ensure!(hibernate.end()?.code == 0);
    // What comes after it has let go is somebody else's.
    let late = saved(&order, 2, Payload::Honest(b"third".to_vec()));
    let text = app.is_refused(&late, "NotHolder")?;
    has_three_parts(&text, "does not hold the current lease")?;
    let mut other = order.clone();
    other.op += 1;
    app.is_refused(&released(&other), "NotHolder")?;
    app.end(&Do::End)?;
    let status = stage.group_is(&held.group, "asleep")?;
    ensure!(status["generation"] == 1, "{status}");

    // A restore that is answered twice is adopted once; what is said of a copy that is not there is refused.
    let (_wake, mut app) = stage.touch(&held.group)?;
    let wish = app.asked_to_restore()?;
    ensure!(wish.state == b"first");
    let answer = overwinter_tests::test_app::puppet::restored(&wish, &wish.state);
    app.tell_well(&answer)?;
    app.tell_well(&answer)?;
    let held = app.adopted()?;
    let mut nowhere = wish.clone();
    nowhere.copy += 77;
    let answer = overwinter_tests::test_app::puppet::restored(&nowhere, &wish.state);
    app.is_refused(&answer, "UnknownGroup")?;
    stage.group_is(&held.group, "live")?;
    ensure!(app.autosave(&held, 2, b"more")? == 2);
    stage.goes_on()
}

#[test]
fn an_app_that_dies_while_it_saves_leaves_the_group_asleep_with_its_last_good_snapshot()
-> Result<()> {
    let stage = Stage::new()?;
    let (mut app, held) = stage.open("mortal")?;
    ensure!(app.autosave(&held, 1, b"a good one")? == 1);
    let hibernate = stage.begin(&["hibernate", &held.group])?;
    app.asked_to_save()?;
    app.end(&Do::Abort)?;
    let text = hibernate.fails()?;
    has_three_parts(&text, "its app ended while it was being saved")?;
    let status = stage.group_is(&held.group, "asleep")?;
    ensure!(status["generation"] == 1, "{status}");
    stage.goes_on()?;

    let (_wake, mut app) = stage.touch(&held.group)?;
    let (wish, held) = app.wake_up()?;
    ensure!(
        wish.reason == "recover" && wish.state == b"a good one",
        "{wish:?}"
    );

    // It dies once more after all was handed over, before it said that it let go: all of that is there.
    let hibernate = stage.begin(&["hibernate", &held.group])?;
    let order = app.asked_to_save()?;
    app.tell_well(&saved(&order, 2, Payload::Honest(b"a better one".to_vec())))?;
    app.asked_to_release()?;
    app.end(&Do::Abort)?;
    ensure!(hibernate.end()?.code == 0);
    stage.group_is(&held.group, "asleep")?;
    stage.wakes_with(&held.group, b"a better one")?;
    Ok(())
}

#[test]
fn an_app_that_dies_before_it_saved_anything_leaves_nothing_and_its_user_is_told() -> Result<()> {
    let stage = Stage::new()?;
    let (mut app, held) = stage.open("short-lived")?;
    let hibernate = stage.begin(&["hibernate", &held.group])?;
    app.asked_to_save()?;
    app.end(&Do::Abort)?;
    let text = hibernate.fails()?;
    has_three_parts(&text, "its app ended while it was being saved")?;
    ensure!(text.contains("nothing could be kept"), "{text}");
    ensure!(
        !text.contains("Wake it"),
        "there is nothing to wake: {text}"
    );
    ensure!(
        stage
            .status(&held.group)?
            .is_none_or(|g| g["state"] != "live")
    );
    stage.goes_on()
}

#[test]
fn payloads_that_are_not_what_they_say_are_refused_and_the_right_one_is_still_taken() -> Result<()>
{
    let stage = Stage::new()?;
    let (mut app, held) = stage.open("liar")?;
    let good: Vec<u8> = (0..300_000_u32).map(|i| (i % 251) as u8).collect();
    let hibernate = stage.begin(&["hibernate", &held.group])?;
    let order = app.asked_to_save()?;
    let big = vec![7; 100_000];
    let bad = [
        (Payload::Inline(big.clone()), "inline"),
        (Payload::Unsealed(big.clone()), "seals"),
        (Payload::Writable(big.clone()), "seals"),
        (Payload::Sparse((256 << 20) + 1), "the most is"),
        (Payload::Sparse(1 << 50), "the most is"),
        (Payload::Both(b"few".to_vec()), "both"),
        (Payload::Two(big.clone()), "2 descriptors"),
        (Payload::Pipe, "not a memfd"),
    ];
    for (payload, word) in bad {
        let text = app.is_refused(&saved(&order, 1, payload), "BadPayload")?;
        has_three_parts(&text, word)?;
    }
    let mut short = saved(&order, 1, Payload::Honest(big));
    if let Do::Saved { digest, .. } = &mut short {
        digest.truncate(31);
    }
    let text = app.is_refused(&short, "BadPayload")?;
    has_three_parts(&text, "31 bytes")?;
    stage.group_is(&held.group, "saving")?;

    app.tell_well(&saved(&order, 1, Payload::Honest(good.clone())))?;
    let order = app.asked_to_release()?;
    app.release(&order)?;
    app.end(&Do::End)?;
    ensure!(hibernate.end()?.code == 0);
    let (mut app, held) = stage.wakes_with(&held.group, &good)?;

    // Nothing at all means "stored already", which is not true of revision 9.
    let hibernate = stage.begin(&["hibernate", &held.group])?;
    let order = app.asked_to_save()?;
    app.tell_well(&saved(&order, 9, Payload::Honest(Vec::new())))?;
    let text = hibernate.fails()?;
    has_three_parts(&text, "its newest state is stored, but it is not")?;
    let status = stage.group_is(&held.group, "live")?;
    ensure!(status["generation"] == 1, "{status}");
    stage.goes_on()
}
