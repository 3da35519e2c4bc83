//! One small file per protocol that smithay implements: the glue, nothing else. Policy lives in [`crate::shell`] and
//! [`crate::input`].

use calloop::LoopHandle;
use smithay::input::SeatState;
use smithay::reexports::wayland_protocols_misc::server_decoration::server::org_kde_kwin_server_decoration_manager::Mode as KdeMode;
use smithay::wayland::cursor_shape::CursorShapeManagerState;
use smithay::wayland::fractional_scale::FractionalScaleManagerState;
use smithay::wayland::idle_inhibit::IdleInhibitManagerState;
use smithay::wayland::idle_notify::IdleNotifierState;
use smithay::wayland::input_method::InputMethodManagerState;
use smithay::wayland::keyboard_shortcuts_inhibit::KeyboardShortcutsInhibitState;
use smithay::wayland::output::OutputManagerState;
use smithay::wayland::pointer_constraints::PointerConstraintsState;
use smithay::wayland::pointer_gestures::PointerGesturesState;
use smithay::wayland::presentation::PresentationState;
use smithay::wayland::relative_pointer::RelativePointerManagerState;
use smithay::wayland::security_context::SecurityContextState;
use smithay::wayland::selection::data_device::DataDeviceState;
use smithay::wayland::selection::ext_data_control::DataControlState as ExtDataControlState;
use smithay::wayland::selection::primary_selection::PrimarySelectionState;
use smithay::wayland::selection::wlr_data_control::DataControlState;
use smithay::wayland::session_lock::SessionLockManagerState;
use smithay::wayland::shell::kde::decoration::KdeDecorationState;
use smithay::wayland::shell::wlr_layer::WlrLayerShellState;
use smithay::wayland::shell::xdg::XdgShellState;
use smithay::wayland::shell::xdg::decoration::XdgDecorationState;
use smithay::wayland::shell::xdg::dialog::XdgDialogState;
use smithay::wayland::shm::ShmState;
use smithay::wayland::single_pixel_buffer::SinglePixelBufferState;
use smithay::wayland::text_input::TextInputManagerState;
use smithay::wayland::viewporter::ViewporterState;
use smithay::wayland::xdg_activation::XdgActivationState;
use smithay::wayland::xwayland_shell::XWaylandShellState;
use wayland_server::DisplayHandle;
use wayland_server::protocol::wl_shm;
use wayland_server::protocol::wl_surface::WlSurface;

use crate::client::is_privileged;
use crate::state::Overwinter;

mod activation;
mod compositor;
mod decoration;
mod idle;
mod layer_shell;
mod output;
mod pointer_extras;
mod seat;
mod security_context;
mod selection;
mod session_lock;
mod shm;
mod shortcuts_inhibit;
mod surface_extras;
mod surface_lists;
mod text_input;
mod wl_surface;
mod xdg_checked;
mod xdg_popup;
mod xdg_shell;

pub use compositor::root_of;
use surface_lists::SurfaceLists;

/// The globals that smithay keeps for us. Those that are only kept alive have no reader.
pub struct Protocols {
    /// wl_compositor, wl_subcompositor.
    pub compositor: SurfaceLists,
    /// wl_shm.
    pub shm: ShmState,
    /// wl_seat.
    pub seat: SeatState<Overwinter>,
    /// xdg_wm_base.
    pub xdg_shell: XdgShellState,
    /// xdg_activation_v1.
    pub activation: XdgActivationState,
    /// wl_data_device_manager.
    pub data_device: DataDeviceState,
    /// zwp_primary_selection_device_manager_v1.
    pub primary_selection: PrimarySelectionState,
    /// zwlr_data_control_manager_v1.
    pub data_control: DataControlState,
    /// org_kde_kwin_server_decoration_manager.
    pub kde_decoration: KdeDecorationState,
    /// ext_data_control_manager_v1.
    pub ext_data_control: ExtDataControlState,
    /// zwlr_layer_shell_v1.
    pub layer_shell: WlrLayerShellState,
    /// ext_session_lock_manager_v1.
    pub session_lock: SessionLockManagerState,
    /// zwp_keyboard_shortcuts_inhibit_manager_v1.
    pub shortcuts_inhibit: KeyboardShortcutsInhibitState,
    /// xwayland_shell_v1: for Xwayland alone.
    pub xwayland_shell: XWaylandShellState,
    /// ext_idle_notifier_v1.
    pub idle: IdleNotifierState<Overwinter>,
    /// Surfaces that ask for no idleness, once for each time they ask.
    pub idle_inhibitors: Vec<WlSurface>,
    _idle_inhibit: IdleInhibitManagerState,
    _security_context: SecurityContextState,
    _pointer_constraints: PointerConstraintsState,
    _relative_pointer: RelativePointerManagerState,
    _pointer_gestures: PointerGesturesState,
    _text_input: TextInputManagerState,
    _input_method: InputMethodManagerState,
    _xdg_decoration: XdgDecorationState,
    _xdg_dialog: XdgDialogState,
    _output: OutputManagerState,
    _viewporter: ViewporterState,
    _fractional_scale: FractionalScaleManagerState,
    _single_pixel: SinglePixelBufferState,
    _presentation: PresentationState,
    _cursor_shape: CursorShapeManagerState,
}

impl std::fmt::Debug for Protocols {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Protocols").finish_non_exhaustive()
    }
}

impl Protocols {
    /// Creates the globals. Those that concern others are for privileged clients only.
    pub fn new(display: &DisplayHandle, handle: &LoopHandle<'static, Overwinter>) -> Protocols {
        type O = Overwinter;
        let primary_selection = PrimarySelectionState::new::<O>(display);
        Protocols {
            compositor: SurfaceLists::new(display),
            shm: ShmState::new::<O>(
                display,
                [wl_shm::Format::Abgr8888, wl_shm::Format::Xbgr8888],
            ),
            seat: SeatState::new(),
            xdg_shell: XdgShellState::new_with_capabilities::<O>(display, {
                use smithay::reexports::wayland_protocols::xdg::shell::server::xdg_toplevel::WmCapabilities;
                [
                    WmCapabilities::Fullscreen,
                    WmCapabilities::Maximize,
                    WmCapabilities::Minimize,
                ]
            }),
            activation: XdgActivationState::new::<O>(display),
            data_device: DataDeviceState::new::<O>(display),
            data_control: DataControlState::new::<O, _>(
                display,
                Some(&primary_selection),
                is_privileged,
            ),
            ext_data_control: ExtDataControlState::new::<O, _>(
                display,
                Some(&primary_selection),
                is_privileged,
            ),
            layer_shell: WlrLayerShellState::new_with_filter::<O, _>(display, is_privileged),
            session_lock: SessionLockManagerState::new::<O, _>(display, is_privileged),
            shortcuts_inhibit: KeyboardShortcutsInhibitState::new::<O>(display),
            xwayland_shell: XWaylandShellState::new::<O>(display),
            idle: IdleNotifierState::new(display, handle.clone()),
            idle_inhibitors: Vec::new(),
            _idle_inhibit: IdleInhibitManagerState::new::<O>(display),
            _security_context: SecurityContextState::new::<O, _>(display, is_privileged),
            _pointer_constraints: PointerConstraintsState::new::<O>(display),
            _relative_pointer: RelativePointerManagerState::new::<O>(display),
            _pointer_gestures: PointerGesturesState::new::<O>(display),
            _text_input: TextInputManagerState::new::<O>(display),
            _input_method: InputMethodManagerState::new::<O, _>(display, is_privileged),
            primary_selection,
            kde_decoration: KdeDecorationState::new::<O>(display, KdeMode::Client),
            _xdg_decoration: XdgDecorationState::new::<O>(display),
            _xdg_dialog: XdgDialogState::new::<O>(display),
            _output: OutputManagerState::new_with_xdg_output::<O>(display),
            _viewporter: ViewporterState::new::<O>(display),
            _fractional_scale: FractionalScaleManagerState::new::<O>(display),
            _single_pixel: SinglePixelBufferState::new::<O>(display),
            _presentation: PresentationState::new::<O>(
                display,
                rustix::time::ClockId::Monotonic as u32,
            ),
            _cursor_shape: CursorShapeManagerState::new::<O>(display),
        }
    }
}
