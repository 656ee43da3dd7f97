//! Client for the Alibaba Cloud ALB OpenAPI: ACS3-HMAC-SHA256 signing, typed operations, error classification

pub mod alb;
pub mod cas;
mod operation;
mod sensitive;
pub mod vpc;

pub use operation::{Operation, OperationKind, Paged, Product};
pub use sensitive::Sensitive;
