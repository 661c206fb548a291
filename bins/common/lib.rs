//! Configuration and wiring that both binaries share.
