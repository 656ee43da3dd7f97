//! Simulator of the Alibaba Cloud ALB: signed OpenAPI, asynchronous jobs, and a data plane that forwards real HTTP.

pub mod address;
pub mod data_plane;
pub mod world;

pub use address::{AddressEntries, AddressMap, Unreachable};
pub use data_plane::DataPlane;
