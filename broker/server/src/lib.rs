//! Midge's sockets, tasks, files and configuration.
