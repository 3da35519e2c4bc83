//! The application: its windows, files that are handed to it, quitting.

use std::cell::{Cell, RefCell};
use std::process::ExitCode;
use std::rc::{Rc, Weak};

use gtk4::prelude::*;
use gtk4::{gio, glib};
use libadwaita as adw;
use libadwaita::prelude::*;
use overwinter::Reason;

use crate::document::Document;
use crate::files;
use crate::release::Release;
use crate::session;
use crate::state::Saved;
use crate::window::{DocWindow, Role};

/// Name on the bus, of the .desktop file and of the icon.
pub const ID: &str = "org.overwinter.Editor";

/// The application and its windows.
pub struct App {
    /// GTK's part of it.
    pub gtk: adw::Application,
    /// Which release this is.
    pub release: &'static Release,
    windows: RefCell<Vec<Rc<DocWindow>>>,
    opened: RefCell<Option<Opened>>,
    /// Whether the user started this process; otherwise the session did, and restored windows follow.
    launched: Cell<bool>,
}

type Opened = Rc<dyn Fn(&Rc<DocWindow>)>;

/// Runs the editor. `D` is how this release writes its state.
pub fn main<D: Saved>(release: &'static Release) -> ExitCode {
    let asked: Vec<String> = std::env::args()
        .skip(1)
        .take_while(|argument| argument != "--")
        .collect();
    if asked.iter().any(|argument| argument == "--version") {
        println!("{}", release.name());
        return ExitCode::SUCCESS;
    }
    let filter =
        tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
    choose_renderer();
    let app = App::new(release);
    let weak = Rc::downgrade(&app);
    // In startup, which only the first process runs: a later one hands its files over and ends.
    app.gtk.connect_startup(move |_| {
        with(&weak, |app| {
            app.launched
                .set(session::connect::<D>(app) == Reason::Launch)
        });
    });
    let code = app.gtk.run();
    ExitCode::from(code.get())
}

/// Without a GPU, GTK's OpenGL renderer would be emulated on the CPU: slow to start, and slower than its Cairo renderer.
fn choose_renderer() {
    let gpu = std::fs::read_dir("/dev/dri").is_ok_and(|mut nodes| {
        nodes.any(|node| {
            node.is_ok_and(|node| node.file_name().as_encoded_bytes().starts_with(b"renderD"))
        })
    });
    if !gpu && std::env::var_os("GSK_RENDERER").is_none() {
        // SAFETY: called first thing in main, before any other thread exists.
        unsafe { std::env::set_var("GSK_RENDERER", "cairo") };
    }
}

impl App {
    /// The application, not yet running.
    pub fn new(release: &'static Release) -> Rc<Self> {
        let gtk = adw::Application::builder()
            .application_id(ID)
            .flags(gio::ApplicationFlags::HANDLES_OPEN)
            .build();
        let app = Rc::new(Self {
            gtk,
            release,
            windows: RefCell::default(),
            opened: RefCell::default(),
            launched: Cell::new(true),
        });
        app.connect();
        app
    }

    /// Calls back for every document that the user opens, before its window is shown.
    pub fn on_opened(&self, hook: impl Fn(&Rc<DocWindow>) + 'static) {
        self.opened.replace(Some(Rc::new(hook)));
    }

    /// Builds a window; kept until it is destroyed. The second value tells what of the document could not be brought back.
    pub fn add_window(
        self: &Rc<Self>,
        document: &Document,
        role: Role,
    ) -> (Rc<DocWindow>, Option<String>) {
        let (window, loss) = DocWindow::new(&self.gtk, self.release, document, role);
        self.windows.borrow_mut().push(window.clone());
        (window, loss)
    }

    /// Opens a document as the user asked: live, and shown.
    pub fn open_document(self: &Rc<Self>, document: &Document) -> Rc<DocWindow> {
        let (window, _) = self.add_window(document, Role::Live);
        let opened = self.opened.borrow().clone();
        match opened {
            Some(opened) => opened(&window),
            None => window.window.present(),
        }
        window
    }

    /// The windows that are documents, the ones opened first first.
    pub fn live_windows(&self) -> Vec<Rc<DocWindow>> {
        self.windows
            .borrow()
            .iter()
            .filter(|window| window.role() == Role::Live)
            .cloned()
            .collect()
    }

    fn connect(self: &Rc<Self>) {
        let app = self.clone();
        self.gtk.connect_startup(move |_| app.start());
        // Not the window's own `destroy`: that comes only once nobody holds the window, and we do.
        let weak = Rc::downgrade(self);
        self.gtk
            .connect_window_removed(move |_, gone| with(&weak, |app| app.forget(gone)));
        let weak = Rc::downgrade(self);
        self.gtk
            .connect_activate(move |_| with(&weak, Self::activate));
        let weak = Rc::downgrade(self);
        self.gtk.connect_open(move |_, files, _| {
            for file in files {
                let file = file.clone();
                with(&weak, |app| app.open_file(file));
            }
        });
    }

    fn forget(&self, gone: &gtk4::Window) {
        let at = |kept: &Rc<DocWindow>| kept.window.upcast_ref::<gtk4::Window>() == gone;
        let found = self.windows.borrow().iter().position(at);
        // Dropped after the list is free again: what goes with the window may ask for the others.
        let window = found.map(|at| self.windows.borrow_mut().remove(at));
        drop(window);
    }

    fn start(self: &Rc<Self>) {
        self.add_action("new", |app| {
            app.open_document(&Document::default());
        });
        self.add_action("open", Self::ask_and_open);
        self.add_action("quit", Self::quit);
        for (action, keys) in [
            ("app.new", &["<Control>n"][..]),
            ("app.open", &["<Control>o"]),
            ("app.quit", &["<Control>q"]),
            ("win.save", &["<Control>s"]),
            ("win.save-as", &["<Control><Shift>s"]),
            ("win.close", &["<Control>w"]),
            ("win.find", &["<Control>f"]),
            ("win.find-next", &["<Control>g", "F3"]),
            ("win.find-previous", &["<Control><Shift>g", "<Shift>F3"]),
            (
                "win.zoom-in",
                &["<Control>plus", "<Control>equal", "<Control>KP_Add"],
            ),
            ("win.zoom-out", &["<Control>minus", "<Control>KP_Subtract"]),
            ("win.zoom-normal", &["<Control>0"]),
        ] {
            self.gtk.set_accels_for_action(action, keys);
        }
    }

    fn add_action(self: &Rc<Self>, name: &str, act: fn(&Rc<Self>)) {
        let action = gio::SimpleAction::new(name, None);
        let weak = Rc::downgrade(self);
        action.connect_activate(move |_, _| with(&weak, act));
        self.gtk.add_action(&action);
    }

    /// Started without files, or started again: an empty window, or the one that is there.
    ///
    /// The first activation of a process that the session started is not the user's.
    fn activate(self: &Rc<Self>) {
        if !self.launched.replace(true) {
            return;
        }
        match self.current() {
            Some(window) => window.window.present(),
            None => drop(self.open_document(&Document::default())),
        }
    }

    /// The live window that had the focus last.
    fn current(&self) -> Option<Rc<DocWindow>> {
        let active = self.gtk.active_window();
        let live = self.live_windows();
        live.iter()
            .find(|window| Some(window.window.upcast_ref::<gtk4::Window>()) == active.as_ref())
            .or(live.last())
            .cloned()
    }

    fn open_file(self: &Rc<Self>, file: gio::File) {
        let app = self.clone();
        // Until the file is read there may be no window, and GTK ends an application without one.
        let hold = self.gtk.hold();
        glib::spawn_future_local(async move {
            app.open_file_now(&file).await;
            drop(hold);
        });
    }

    async fn open_file_now(self: &Rc<Self>, file: &gio::File) {
        let path = file
            .path()
            .and_then(|path| path.to_str().map(str::to_owned));
        let open = self
            .live_windows()
            .into_iter()
            .find(|window| path.is_some() && window.path() == path);
        if let Some(window) = open {
            window.window.present();
            return;
        }
        match files::open(file).await {
            Ok(document) => {
                let unused = self.current().filter(|window| window.is_unused());
                self.open_document(&document);
                if let Some(unused) = unused {
                    unused.window.close();
                }
            }
            Err(why) => {
                let window = self
                    .current()
                    .unwrap_or_else(|| self.open_document(&Document::default()));
                let dialog =
                    adw::MessageDialog::new(Some(&window.window), Some("Not opened"), Some(&why));
                dialog.add_response("ok", "OK");
                dialog.present();
            }
        }
    }

    fn ask_and_open(self: &Rc<Self>) {
        let dialog = gtk4::FileChooserNative::builder()
            .title("Open")
            .modal(true)
            .action(gtk4::FileChooserAction::Open)
            .accept_label("Open")
            .select_multiple(true)
            .build();
        dialog.set_transient_for(self.current().map(|window| window.window.clone()).as_ref());
        let app = self.clone();
        glib::spawn_future_local(async move {
            if dialog.run_future().await == gtk4::ResponseType::Accept {
                let files = dialog.files();
                files
                    .iter::<gio::File>()
                    .flatten()
                    .for_each(|file| app.open_file(file));
            }
        });
    }

    /// Closes every document, asking where text is in no file; stops at the first one that the user keeps open.
    fn quit(self: &Rc<Self>) {
        let windows = self.live_windows();
        glib::spawn_future_local(async move {
            for window in windows {
                window.window.present();
                if !window.ask_and_close().await {
                    return;
                }
            }
        });
    }
}

fn with(app: &Weak<App>, act: impl FnOnce(&Rc<App>)) {
    if let Some(app) = app.upgrade() {
        act(&app);
    }
}
