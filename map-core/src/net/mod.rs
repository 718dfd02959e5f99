//! Sockets and deadlines: what drives the machine.
