//! How a running session is watched and steered: the port [`SessionControl`](walkforward_core::SessionControl) on its
//! handle, and the same port over a Unix socket for other processes.
//!
//! Whoever asks waits; the bar loop never does. A command is answered when the journal has it on the disk. What happens is
//! told through a buffer of bounded length, made from the journal's records by [`events_of`]; whoever reads it too slowly is
//! told that events are gone, and which.

mod client;
mod events;
mod handle;
mod line;
mod log;
mod server;
mod socket;
mod status;

pub use client::ControlClient;
pub use events::events_of;
pub use log::{EventReader, MAX_KEPT_EVENTS};
pub use server::{ControlServer, MAX_CONTROL_CONNECTIONS};
pub use socket::{MAX_SOCKET_PATH_BYTES, SocketError, remove_dead_socket, socket_note, socket_path};

pub(crate) use events::Teller;
pub(crate) use handle::Told;
pub(crate) use log::{EventLog, Events};
pub(crate) use status::{Standing, loaded_model, loaded_stamp};
