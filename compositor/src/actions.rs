//! What keys, scripts and panels have the session do: one entry for all of them, [`Overwinter::act`].

use overwinter_config::Action;

use crate::effects::wishes::Wish;
use crate::shell::{Item, ModeWish, WindowId, WindowMode};
use crate::state::Overwinter;

impl Overwinter {
    /// Does it. What takes longer (a group going to sleep, a program that starts) has begun when this returns; how it goes on is
    /// told to the user as everything is.
    ///
    /// # Errors
    /// Why nothing was done. While the session is locked that is so with everything that could show or change what the lock
    /// protects.
    pub fn act(&mut self, action: &Action) -> Result<(), String> {
        let safe = matches!(action, Action::NextKeyboardLayout | Action::Reload);
        if self.shell.lock.is_some() && !safe {
            return Err("the session is locked; unlock it first".into());
        }
        match action {
            Action::Close => {
                self.focused_window()?;
                self.close_focused();
            }
            Action::Hibernate => return self.hibernate_focused(),
            Action::NextWindow => self.cycle_focus(false),
            Action::PreviousWindow => self.cycle_focus(true),
            Action::Maximise => {
                let id = self.focused_window()?;
                let on = self.mode_of(id) != Some(WindowMode::Maximized);
                self.wish_mode_now(id, ModeWish::Maximized(on));
            }
            Action::Fullscreen => {
                let id = self.focused_window()?;
                let on = self.mode_of(id) != Some(WindowMode::Fullscreen);
                self.wish_mode_now(id, ModeWish::Fullscreen(on));
            }
            Action::Run(command) => {
                let command = command.clone();
                return self.wish(Wish::Run {
                    command,
                    user: true,
                });
            }
            Action::NextKeyboardLayout => return self.next_keyboard_layout(),
            Action::ToggleShortcuts => self.toggle_shortcuts_inhibitor(),
            Action::Reload => return self.reload_config(),
            Action::Quit if self.driver.is_none() => self.signal.stop(),
            Action::Quit => return self.wish(Wish::Quit),
            Action::Focus(_)
            | Action::Move(_)
            | Action::MergeLeft
            | Action::MergeRight
            | Action::Minimise
            | Action::Float
            | Action::NextWorkspace
            | Action::PreviousWorkspace
            | Action::ShowWorkspace(_)
            | Action::SendToWorkspace(_)
            | Action::ColumnWidth(_) => {
                return Err("windows here neither tile nor have workspaces yet".into());
            }
        }
        Ok(())
    }

    /// The window that has the focus.
    fn focused_window(&self) -> Result<WindowId, String> {
        match self.shell.focus() {
            Some(Item::Window(id)) => Ok(id),
            Some(Item::Ghost(_)) => Err("what has the focus is asleep; click it to wake it".into()),
            None => Err("no window has the focus".into()),
        }
    }

    fn mode_of(&self, id: WindowId) -> Option<WindowMode> {
        Some(self.shell.window(id)?.mode)
    }

    fn wish_mode_now(&mut self, id: WindowId, wish: ModeWish) {
        self.wish_mode(id, wish);
        if let Some(window) = self.shell.window(id) {
            window.send_pending();
        }
    }

    fn hibernate_focused(&mut self) -> Result<(), String> {
        let window = self.focused_window()?;
        let group = self.shell.group_of(window).ok_or(
            "this window belongs to no group: its app cannot sleep; minimise it or close it",
        )?;
        self.wish(Wish::Hibernate(group))
    }
}
