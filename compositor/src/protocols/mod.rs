//! Protocols that smithay lacks or does in a way that bypasses [`crate::input`].

pub mod overwinter_v1;
pub mod screencopy;
pub mod virtual_keyboard;
pub mod virtual_pointer;
