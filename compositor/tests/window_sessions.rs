//! xdg-session-management: windows that come back stand where they stood; who may ask for them.

mod common;

use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};

use common::{Client, Data, Fixture, Window, open};
use overwinter_compositor::outputs::Plug;
use overwinter_compositor::protocols::xdg_session_management::KeptSessions;
use overwinter_compositor::shell::Item;
use overwinter_layout::Op;
use wayland_client::{Connection, Dispatch, EventQueue, QueueHandle, delegate_noop};
use wayland_protocols::wp::security_context::v1::client::{
    wp_security_context_manager_v1::WpSecurityContextManagerV1,
    wp_security_context_v1::WpSecurityContextV1,
};

#[allow(missing_docs, clippy::all, unused)]
mod session {
    use wayland_client;
    use wayland_client::protocol::*;
    use wayland_protocols::xdg::shell::client::*;

    pub mod __interfaces {
        use wayland_client::protocol::__interfaces::*;
        use wayland_protocols::xdg::shell::client::__interfaces::*;
        wayland_scanner::generate_interfaces!("protocols/xdg-session-management-v1.xml");
    }
    use self::__interfaces::*;
    wayland_scanner::generate_client_code!("protocols/xdg-session-management-v1.xml");
}
use session::xdg_session_manager_v1::{Reason, XdgSessionManagerV1};
use session::xdg_session_v1::{self, XdgSessionV1};
use session::xdg_toplevel_session_v1::{self, XdgToplevelSessionV1};

const RED: u32 = 0xcc2020;
const BLUE: u32 = 0x2020cc;

delegate_noop!(Data: XdgSessionManagerV1);
delegate_noop!(Data: ignore WpSecurityContextManagerV1);
delegate_noop!(Data: ignore WpSecurityContextV1);

impl Dispatch<XdgSessionV1, ()> for Data {
    fn event(
        data: &mut Self,
        _: &XdgSessionV1,
        event: xdg_session_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        data.told.push(match event {
            xdg_session_v1::Event::Created { session_id } => format!("created {session_id}"),
            xdg_session_v1::Event::Restored => "restored".into(),
            xdg_session_v1::Event::Replaced => "replaced".into(),
        });
    }
}

impl Dispatch<XdgToplevelSessionV1, u32> for Data {
    fn event(
        data: &mut Self,
        _: &XdgToplevelSessionV1,
        _: xdg_toplevel_session_v1::Event,
        id: &u32,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        let configures = data.heard.get(id).map_or(0, |h| h.configures);
        data.told.push(format!("window {id} after {configures}"));
    }
}

/// What the last session that was asked for got.
fn answer(told: &[String]) -> &str {
    let last = told.iter().rev();
    let mut answers = last.filter(|t| t.starts_with("created") || *t == "restored");
    answers.next().unwrap()
}

fn get(
    fixture: &mut Fixture,
    client: &mut Client,
    reason: Reason,
    id: Option<&str>,
) -> XdgSessionV1 {
    let manager: XdgSessionManagerV1 = client.bind();
    let session = manager.get_session(reason, id.map(str::to_owned), &client.qh(), ());
    fixture.roundtrip(client);
    session
}

/// A new session; its id.
fn created(fixture: &mut Fixture, client: &mut Client) -> (XdgSessionV1, String) {
    let session = get(fixture, client, Reason::Launch, None);
    let id = answer(&client.data.told).strip_prefix("created ").unwrap();
    (session, id.to_owned())
}

/// A window that is kept under this name, open at its own size.
fn kept(fixture: &mut Fixture, client: &mut Client, of: &XdgSessionV1, name: &str) -> Window {
    let window = client.toplevel(&client.surface(), None);
    of.add_toplevel(&window.toplevel, name.into(), &client.qh(), window.id());
    window.open(fixture, client, 300, 200, RED);
    window
}

/// A window that is to be where it was, up to its first frame, which has the size that it was asked for.
fn restored(fixture: &mut Fixture, client: &mut Client, of: &XdgSessionV1, name: &str) -> Window {
    let window = client.toplevel(&client.surface(), None);
    of.restore_toplevel(&window.toplevel, name.into(), &client.qh(), window.id());
    window.surface.commit();
    let id = window.id();
    fixture.wait(client, "the first configure", |c, _| {
        c.data.heard.get(&id).is_some_and(|h| h.configures > 0)
    });
    let (w, h) = client.heard(&window).size;
    let (w, h) = if w > 0 { (w, h) } else { (300, 200) };
    window.draw(client, w, h, RED);
    fixture.roundtrip(client);
    window
}

fn was_told(client: &Client, window: &Window) -> bool {
    // Before it heard of any size.
    let told = format!("window {} after 0", window.id());
    client.data.told.contains(&told)
}

fn newest(fixture: &Fixture) -> Item {
    let ids = fixture.server.shell.windows().map(|w| w.id);
    Item::Window(ids.max().unwrap())
}

/// Left, top, width, height, and whether it is seen.
fn stands(fixture: &Fixture, item: Item) -> ((i32, i32, i32, i32), bool) {
    let shell = &fixture.server.shell;
    let rect = shell.rect_of(item).unwrap();
    let rect = (rect.loc.x, rect.loc.y, rect.size.w, rect.size.h);
    (rect, shell.stack().contains(&item))
}

#[test]
fn a_window_comes_back_to_its_output_workspace_place_and_height() {
    let mut fixture = Fixture::with_outputs(&["1000x700", "800x600"]);
    let mut client = fixture.client();
    let (session, id) = created(&mut fixture, &mut client);
    let main = kept(&mut fixture, &mut client, &session, "main");
    fixture
        .server
        .put_window(newest(&fixture), (1100, 60).into());
    let upper = kept(&mut fixture, &mut client, &session, "upper");
    fixture
        .server
        .put_window(newest(&fixture), (1150, 90).into());
    let large = kept(&mut fixture, &mut client, &session, "large");
    large.toplevel.set_maximized();
    fixture.roundtrip(&mut client);
    let full = client.heard(&large).size;
    let away = kept(&mut fixture, &mut client, &session, "away");
    let op = Op::SetMinimised(newest(&fixture).name(), true);
    fixture.server.layout(op).unwrap();
    let mail = kept(&mut fixture, &mut client, &session, "mail");
    fixture
        .server
        .layout(Op::Send {
            window: newest(&fixture).name(),
            workspace: "mail".into(),
            follow: false,
        })
        .unwrap();
    fixture.roundtrip(&mut client);
    drop((main, upper, large, away, mail, session));
    drop(client);

    let mut client = fixture.client();
    let session = get(&mut fixture, &mut client, Reason::SessionRestore, Some(&id));
    assert_eq!(answer(&client.data.told), "restored");
    // In another order than they stood.
    let upper = restored(&mut fixture, &mut client, &session, "upper");
    let upper_item = newest(&fixture);
    assert!(was_told(&client, &upper));
    assert_eq!(client.heard(&upper).size, (300, 200));
    assert_eq!(stands(&fixture, upper_item), ((1150, 90, 300, 200), true));
    restored(&mut fixture, &mut client, &session, "main");
    let main_item = newest(&fixture);
    assert_eq!(stands(&fixture, main_item), ((1100, 60, 300, 200), true));
    // The one that came back last stands below the other again, and has taken the focus from nobody.
    assert_eq!(fixture.server.shell.stack(), [main_item, upper_item]);
    assert_eq!(fixture.server.shell.focus(), Some(upper_item));
    let large = restored(&mut fixture, &mut client, &session, "large");
    assert_eq!(client.heard(&large).size, full);
    assert_eq!(full, (800, 600));
    restored(&mut fixture, &mut client, &session, "away");
    assert!(fixture.server.shell.is_minimised(newest(&fixture)));
    restored(&mut fixture, &mut client, &session, "mail");
    let mail_item = newest(&fixture);
    assert!(!stands(&fixture, mail_item).1);
    fixture
        .server
        .layout(Op::ShowWorkspace("mail".into()))
        .unwrap();
    assert!(stands(&fixture, mail_item).1);
    // A name that was never kept opens a new window and says nothing of restoring.
    let other = restored(&mut fixture, &mut client, &session, "other");
    assert!(!was_told(&client, &other));
}

#[test]
fn an_app_that_is_launched_opens_where_the_user_is() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let (session, id) = created(&mut fixture, &mut client);
    kept(&mut fixture, &mut client, &session, "main");
    fixture.server.put_window(newest(&fixture), (30, 40).into());
    fixture.roundtrip(&mut client);
    drop(client);
    fixture
        .server
        .layout(Op::ShowWorkspace("mail".into()))
        .unwrap();
    let mut client = fixture.client();
    let session = get(&mut fixture, &mut client, Reason::Launch, Some(&id));
    let window = restored(&mut fixture, &mut client, &session, "main");
    assert!(was_told(&client, &window));
    let item = newest(&fixture);
    assert_eq!(stands(&fixture, item), ((30, 40, 300, 200), true));
}

#[test]
fn a_window_of_an_output_that_is_away_is_there_when_the_output_is_back() {
    let mut fixture = Fixture::with_outputs(&["1000x700", "800x600"]);
    let mut client = fixture.client();
    let (session, id) = created(&mut fixture, &mut client);
    kept(&mut fixture, &mut client, &session, "main");
    fixture
        .server
        .put_window(newest(&fixture), (1100, 60).into());
    fixture.roundtrip(&mut client);
    drop(client);
    fixture.server.unplug_output("HEADLESS-2").unwrap();
    let mut client = fixture.client();
    let session = get(&mut fixture, &mut client, Reason::Recover, Some(&id));
    restored(&mut fixture, &mut client, &session, "main");
    let item = newest(&fixture);
    let ((x, ..), _) = stands(&fixture, item);
    assert!(x < 1000, "{x}");
    let plug = Plug {
        size: Some((800, 600)),
        ..Plug::default()
    };
    fixture.server.plug_output(&plug).unwrap();
    assert_eq!(stands(&fixture, item), ((1100, 60, 300, 200), true));
}

#[test]
fn what_was_written_is_there_for_the_next_compositor() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("windows.json");
    let mut fixture = Fixture::new();
    fixture.server.xdg_sessions.kept = KeptSessions::open(file.clone()).0;
    let mut client = fixture.client();
    let (session, id) = created(&mut fixture, &mut client);
    kept(&mut fixture, &mut client, &session, "main");
    fixture.server.put_window(newest(&fixture), (30, 40).into());
    fixture.roundtrip(&mut client);
    fixture.server.xdg_sessions.kept.write().unwrap();
    drop((client, fixture));

    let mut fixture = Fixture::new();
    fixture.server.xdg_sessions.kept = KeptSessions::open(file).0;
    let mut client = fixture.client();
    let session = get(&mut fixture, &mut client, Reason::Recover, Some(&id));
    assert_eq!(answer(&client.data.told), "restored");
    restored(&mut fixture, &mut client, &session, "main");
    let item = newest(&fixture);
    assert_eq!(stands(&fixture, item), ((30, 40, 300, 200), true));
}

#[test]
fn another_client_takes_a_session_over_and_the_former_one_has_no_say_in_it_any_more() {
    let mut fixture = Fixture::new();
    let mut first = fixture.client();
    let (session, id) = created(&mut fixture, &mut first);
    kept(&mut fixture, &mut first, &session, "main");
    fixture.server.put_window(newest(&fixture), (30, 40).into());
    fixture.roundtrip(&mut first);
    let old = newest(&fixture);
    let mut second = fixture.client();
    let taken = get(&mut fixture, &mut second, Reason::Recover, Some(&id));
    assert_eq!(answer(&second.data.told), "restored");
    fixture.wait(&mut first, "that it was replaced", |c, _| {
        c.told("replaced") == 1
    });
    fixture.server.put_window(old, (500, 400).into());
    session.remove_toplevel("main".into());
    let more = first.toplevel(&first.surface(), None);
    session.add_toplevel(&more.toplevel, "more".into(), &first.qh(), 0);
    session.remove();
    fixture.roundtrip(&mut first);
    let window = restored(&mut fixture, &mut second, &taken, "main");
    assert!(was_told(&second, &window));
    let item = newest(&fixture);
    assert_eq!(stands(&fixture, item).0, (30, 40, 300, 200));
    let other = restored(&mut fixture, &mut second, &taken, "more");
    assert!(!was_told(&second, &other));
}

#[test]
fn names_can_change_and_what_is_removed_is_forgotten() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let (session, id) = created(&mut fixture, &mut client);
    let window = client.toplevel(&client.surface(), None);
    let named = session.add_toplevel(&window.toplevel, "old".into(), &client.qh(), window.id());
    window.open(&mut fixture, &mut client, 300, 200, RED);
    named.rename("new".into());
    kept(&mut fixture, &mut client, &session, "gone");
    session.remove_toplevel("gone".into());
    fixture.roundtrip(&mut client);
    window.close();
    fixture.roundtrip(&mut client);
    // The same client, the same session: the name is free again.
    let again = restored(&mut fixture, &mut client, &session, "new");
    assert!(was_told(&client, &again));
    for name in ["old", "gone"] {
        let window = restored(&mut fixture, &mut client, &session, name);
        assert!(!was_told(&client, &window), "{name}");
    }
    session.remove();
    get(&mut fixture, &mut client, Reason::Recover, Some(&id));
    assert!(answer(&client.data.told).starts_with("created"));
}

#[test]
fn a_sandbox_does_not_reach_what_is_kept_outside_or_in_another() {
    let mut fixture = Fixture::new();
    let mut launcher = fixture.client();
    let (_session, outside) = created(&mut fixture, &mut launcher);
    let folder = tempfile::tempdir().unwrap();
    let manager: WpSecurityContextManagerV1 = launcher.bind();
    let mut held = Vec::new();
    let mut sandbox = |fixture: &mut Fixture, launcher: &mut Client, app: &str, socket: &str| {
        let socket = folder.path().join(socket);
        let listener = UnixListener::bind(&socket).unwrap();
        let (kept, given) = UnixStream::pair().unwrap();
        let qh = launcher.qh();
        let context = manager.create_listener(listener.as_fd(), given.as_fd(), &qh, ());
        context.set_sandbox_engine("org.flatpak".into());
        context.set_app_id(app.into());
        context.commit();
        fixture.roundtrip(launcher);
        held.push(kept);
        fixture.connect(UnixStream::connect(&socket).unwrap())
    };
    let ask = |fixture: &mut Fixture,
               (connection, globals, queue): &mut (
        Connection,
        wayland_client::globals::GlobalList,
        EventQueue<Data>,
    ),
               id: Option<&str>| {
        let qh = queue.handle();
        let manager: XdgSessionManagerV1 = globals.bind(&qh, 1..=1, ()).unwrap();
        let id = id.map(str::to_owned);
        let session = manager.get_session(Reason::Recover, id, &qh, ());
        let mut data = Data::default();
        connection.flush().unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while data.told.is_empty() {
            assert!(std::time::Instant::now() < deadline, "never an answer");
            fixture.turn();
            if let Some(guard) = queue.prepare_read() {
                let _ = guard.read();
            }
            queue.dispatch_pending(&mut data).unwrap();
        }
        session.destroy();
        connection.flush().unwrap();
        fixture.turn();
        data.told.remove(0)
    };
    let mut inside = sandbox(&mut fixture, &mut launcher, "org.example.A", "a");
    assert!(ask(&mut fixture, &mut inside, Some(&outside)).starts_with("created"));
    let own = ask(&mut fixture, &mut inside, None);
    let own = own.strip_prefix("created ").unwrap();
    let mut other = sandbox(&mut fixture, &mut launcher, "org.example.B", "b");
    assert!(ask(&mut fixture, &mut other, Some(own)).starts_with("created"));
    get(&mut fixture, &mut launcher, Reason::Recover, Some(own));
    assert!(answer(&launcher.data.told).starts_with("created"));
    // The same app, in another run of its sandbox.
    let mut again = sandbox(&mut fixture, &mut launcher, "org.example.A", "c");
    assert_eq!(ask(&mut fixture, &mut again, Some(own)), "restored");
    assert_eq!(launcher.told("replaced"), 0);
}

/// What a client that does this is ended with.
fn error(does: impl FnOnce(&mut Fixture, &mut Client, &XdgSessionV1, &str)) -> (String, u32) {
    let mut fixture = Fixture::new();
    let mut stays = fixture.client();
    let mut client = fixture.client();
    let (session, id) = created(&mut fixture, &mut client);
    does(&mut fixture, &mut client, &session, &id);
    client.connection.flush().unwrap();
    fixture.wait(&mut stays, "the error", |_, _| {
        if let Some(guard) = client.connection.prepare_read() {
            let _ = guard.read();
        }
        client.connection.protocol_error().is_some()
    });
    open(&mut fixture, &mut stays, 300, 200, BLUE);
    let error = client.connection.protocol_error().unwrap();
    (error.object_interface, error.code)
}

#[test]
fn who_errs_is_told_so() {
    let of_session = |code| ("xdg_session_v1".to_owned(), code);
    let in_use = error(|_, client, _, id| {
        let manager: XdgSessionManagerV1 = client.bind();
        manager.get_session(Reason::Recover, Some(id.into()), &client.qh(), ());
    });
    assert_eq!(in_use, ("xdg_session_manager_v1".to_owned(), 1));
    let name_in_use = error(|fixture, client, session, _| {
        kept(fixture, client, session, "main").close();
        fixture.roundtrip(client);
        // It is known still, though nothing has it.
        let window = client.toplevel(&client.surface(), None);
        session.add_toplevel(&window.toplevel, "main".into(), &client.qh(), 0);
    });
    assert_eq!(name_in_use, of_session(1));
    let granted = error(|fixture, client, session, _| {
        kept(fixture, client, session, "main");
        let window = client.toplevel(&client.surface(), None);
        session.restore_toplevel(&window.toplevel, "main".into(), &client.qh(), 0);
    });
    assert_eq!(granted, of_session(1));
    let renamed = error(|fixture, client, session, _| {
        kept(fixture, client, session, "main");
        let window = client.toplevel(&client.surface(), None);
        let named = session.add_toplevel(&window.toplevel, "other".into(), &client.qh(), 0);
        named.rename("main".into());
    });
    assert_eq!(renamed, of_session(1));
    let mapped = error(|fixture, client, session, _| {
        let window = open(fixture, client, 300, 200, RED);
        session.restore_toplevel(&window.toplevel, "main".into(), &client.qh(), 0);
    });
    assert_eq!(mapped, of_session(2));
    let twice = error(|fixture, client, session, _| {
        let window = kept(fixture, client, session, "main");
        session.add_toplevel(&window.toplevel, "other".into(), &client.qh(), 0);
    });
    assert_eq!(twice, of_session(4));
}
