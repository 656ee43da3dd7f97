//! Client for the Alibaba Cloud ALB OpenAPI: ACS3-HMAC-SHA256 signing, typed operations, error classification

pub mod alb;
pub mod cas;
#[cfg(feature = "client")]
pub mod client;
pub mod credentials;
mod encode;
mod error;
pub mod flatten;
pub mod lenient;
mod operation;
mod sensitive;
pub mod sign;
pub mod vpc;

#[cfg(feature = "client")]
pub use client::{Client, ClientBuilder};
pub use credentials::{Credentials, CredentialsProvider, EnvironmentCredentials, StaticCredentials};
pub use error::{
    Action, ApiError, CredentialsError, Error, ErrorClass, JobFailure, Source, TransportError, classify,
};
pub use lenient::DecodeError;
pub use operation::{Operation, OperationKind, Paged, Product};
pub use sensitive::Sensitive;
