//! The private PostgreSQL cluster.
