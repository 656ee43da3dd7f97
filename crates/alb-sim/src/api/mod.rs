//! Transport: from an HTTP request to an operation and back.

mod error;
mod request;
mod respond;
pub(crate) mod shapes;

pub(crate) use error::{ApiError, ApiResult};
pub(crate) use request::Incoming;
pub(crate) use respond::{Disconnect, serve};

/// ALB, as the shapes name it.
pub(crate) const ALB: &str = "alb-2020-06-16";
/// The certificate service.
pub(crate) const CAS: &str = "cas-2020-04-07";
/// VPC.
pub(crate) const VPC: &str = "vpc-2016-04-28";

/// The product of an API version; `None` for one that is not simulated.
pub(crate) fn product(version: &str) -> Option<&'static str> {
    [ALB, CAS, VPC]
        .into_iter()
        .find(|product| product.split_once('-').is_some_and(|(_, known)| known == version))
}
