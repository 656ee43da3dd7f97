//! The HTTP face: connections, authentication, routing, content negotiation.

mod accept;
mod query;
mod resources;
mod respond;
mod route;
pub(crate) mod server;
mod stream;

pub(crate) use server::Server;
