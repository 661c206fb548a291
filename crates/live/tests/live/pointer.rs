//! The pointer on disk.
