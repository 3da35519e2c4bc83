//! What keys, scripts and panels have the session do: one entry for all of them, [`Overwinter::act`].

use overwinter_config::{Action, Share, Side};
use overwinter_layout::{self as layout, Direction, Op};

use crate::effects::wishes::Wish;
use crate::shell::{Item, WindowId};
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
                let (name, window) = self.focused_in_layout()?;
                self.arrange(Op::SetMaximised(name, !window.maximised))?;
            }
            Action::Fullscreen => {
                let (window, now) = self.focused_in_layout()?;
                let on = !now.fullscreen;
                let output = None;
                self.arrange(Op::SetFullscreen { window, on, output })?;
            }
            Action::Minimise => {
                let (name, _) = self.focused_in_layout()?;
                self.arrange(Op::SetMinimised(name, true))?;
            }
            Action::Float => {
                let (name, window) = self.focused_in_layout()?;
                self.arrange(Op::SetFloating(name, window.tiled))?;
            }
            Action::Focus(side) => self.arrange(Op::FocusSide(direction(*side)))?,
            Action::Move(side) => {
                let (name, _) = self.focused_in_layout()?;
                self.arrange(Op::Shift(name, direction(*side)))?;
            }
            Action::MergeLeft | Action::MergeRight => {
                let (window, _) = self.focused_in_layout()?;
                let right = *action == Action::MergeRight;
                self.arrange(Op::Merge { window, right })?;
            }
            Action::ColumnWidth(share) => {
                let (name, _) = self.focused_in_layout()?;
                self.arrange(Op::SetWidth(name, layout_share(*share)))?;
            }
            Action::NextWorkspace => self.arrange(Op::StepWorkspace { back: false })?,
            Action::PreviousWorkspace => self.arrange(Op::StepWorkspace { back: true })?,
            Action::ShowWorkspace(name) => self.arrange(Op::ShowWorkspace(name.clone()))?,
            Action::SendToWorkspace(workspace) => {
                let (window, _) = self.focused_in_layout()?;
                let (workspace, follow) = (workspace.clone(), false);
                self.arrange(Op::Send {
                    window,
                    workspace,
                    follow,
                })?;
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

    /// What has the focus, asleep or not, and how it stands in the layout.
    fn focused_in_layout(&self) -> Result<(layout::WindowId, layout::Window), String> {
        let none = "no window has the focus";
        let name = self.shell.focus().ok_or(none)?.name();
        let window = self.shell.desktop().window(name).ok_or(none)?;
        Ok((name, window.clone()))
    }

    fn arrange(&mut self, op: Op) -> Result<(), String> {
        self.layout(op).map_err(|refused| refused.to_string())
    }

    fn hibernate_focused(&mut self) -> Result<(), String> {
        let window = self.focused_window()?;
        let group = self.shell.group_of(window).ok_or(
            "this window belongs to no group: its app cannot sleep; minimise it or close it",
        )?;
        self.wish(Wish::Hibernate(group))
    }
}

fn direction(side: Side) -> Direction {
    match side {
        Side::Left => Direction::Left,
        Side::Right => Direction::Right,
        Side::Up => Direction::Up,
        Side::Down => Direction::Down,
    }
}

/// In the layout's words.
pub(crate) fn layout_share(share: Share) -> layout::Share {
    layout::Share::of(share.part.into(), share.whole.into())
}
