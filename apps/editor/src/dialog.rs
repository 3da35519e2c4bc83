//! Small things that our versions of the bindings do not offer: asking a question, naming a widget for assistive technology.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Poll, Waker};

use gtk4::glib::translate::{IntoGlib, ToGlibPtr};
use gtk4::prelude::*;
use gtk4::{AccessibleProperty, glib};
use libadwaita as adw;
use libadwaita::prelude::*;

/// Shows the dialog and gives the id of the response that was chosen.
pub async fn choose(dialog: &adw::MessageDialog) -> glib::GString {
    let chosen: Rc<RefCell<(Option<glib::GString>, Option<Waker>)>> = Rc::default();
    let answer = chosen.clone();
    dialog.connect_response(None, move |_, response| {
        let mut answer = answer.borrow_mut();
        answer.0 = Some(response.into());
        if let Some(waker) = answer.1.take() {
            waker.wake();
        }
    });
    dialog.present();
    let response = std::future::poll_fn(move |context| {
        let mut chosen = chosen.borrow_mut();
        match chosen.0.take() {
            Some(response) => Poll::Ready(response),
            None => {
                chosen.1 = Some(context.waker().clone());
                Poll::Pending
            }
        }
    })
    .await;
    // It closes itself only while it is on the screen, and its window may have been put away.
    dialog.destroy();
    response
}

unsafe extern "C" {
    // In GTK since 4.0; the bindings offer it from 4.10 on only.
    fn gtk_accessible_update_property_value(
        accessible: *mut gtk4::ffi::GtkWidget,
        count: i32,
        properties: *mut gtk4::ffi::GtkAccessibleProperty,
        values: *const glib::gobject_ffi::GValue,
    );
}

/// Gives `widget` a name that assistive technology can read out.
pub fn set_label(widget: &impl IsA<gtk4::Widget>, label: &str) {
    let mut property = AccessibleProperty::Label.into_glib();
    let value = label.to_value();
    // SAFETY: every widget is a GtkAccessible; one property and one value, a string as a label wants it, and both outlive
    // the call, which copies them.
    unsafe {
        gtk_accessible_update_property_value(
            widget.as_ref().to_glib_none().0,
            1,
            &mut property,
            value.to_glib_none().0,
        );
    }
}
