//! What a service says over its socket, without the socket.

/// What a protocol wants done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Act<E> {
    /// Send this text. It may hold keys: it is shown nowhere.
    Send(String),
    /// The subscription stands.
    Ready,
    /// Pass this on.
    Event(E),
    /// Connect anew.
    Reconnect(String),
    /// Connect anew, and not soon: the service still counts an older connection.
    BackOff(String),
    /// No connection can help until a person changes something.
    Fail(String),
}

/// A protocol as a state machine.
pub(crate) trait Protocol: Send + Sync + 'static {
    /// What it passes on.
    type Event: Send + 'static;

    /// A new connection stands; whatever was agreed on the one before is void.
    fn open(&mut self) -> Vec<Act<Self::Event>>;

    /// A frame has come.
    fn frame(&mut self, bytes: &[u8]) -> Vec<Act<Self::Event>>;
}
