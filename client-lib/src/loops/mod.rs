//! Main loops: whichever an app has, the session is one more descriptor in it.
//!
//! [`Session`](crate::Session) is readable ([`AsFd`](std::os::fd::AsFd)) when
//! [`dispatch`](crate::Session::dispatch) has something to do; that is all a loop has to know. An app without a loop calls
//! [`wait`](crate::Session::wait). For three loops the few lines are written already, each behind a feature of its name; none brings
//! an executor or a thread into the app:
//!
//! | loop | feature | |
//! | --- | --- | --- |
//! | GLib, and GTK of any version | `glib` | `loops::glib::attach(&session)` |
//! | calloop | `calloop` | `handle.insert_source(loops::calloop::Source::new(&session), …)` |
//! | tokio | `tokio` | `local.spawn_local(loops::tokio::serve(session))` |
//!
//! The GTK 4 integration (feature `gtk`) attaches to GLib's loop by itself.

#[cfg(feature = "calloop")]
pub mod calloop;
#[cfg(feature = "glib")]
pub mod glib;
#[cfg(feature = "tokio")]
pub mod tokio;
