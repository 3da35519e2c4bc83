//! Protocols that smithay lacks or does in a way that bypasses [`crate::input`].

pub mod ext_workspace;
pub mod foreign_toplevels;
pub mod image_copy_capture;
pub mod output_management;
pub mod output_power;
pub mod overwinter_v1;
pub mod screencopy;
pub mod virtual_keyboard;
pub mod virtual_pointer;
pub mod xdg_foreign;
