//! What every operation of the OpenAPI has in common, and the macros that keep each one to its parameters.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A product of Alibaba Cloud: it fixes the API version and the form of the endpoint's host name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Product {
    /// Application Load Balancer, version 2020-06-16; one endpoint in each region.
    Alb,
    /// Certificate Management Service, version 2020-04-07; one central endpoint for each site.
    Cas,
    /// Virtual Private Cloud, version 2016-04-28; one endpoint in each region.
    Vpc,
}

impl Product {
    /// All products.
    pub const ALL: &'static [Self] = &[Self::Alb, Self::Cas, Self::Vpc];

    /// The product's short name, as it stands in host names and permission names.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alb => "alb",
            Self::Cas => "cas",
            Self::Vpc => "vpc",
        }
    }

    /// The API version this crate speaks (`x-acs-version`).
    pub const fn version(self) -> &'static str {
        match self {
            Self::Alb => "2020-06-16",
            Self::Cas => "2020-04-07",
            Self::Vpc => "2016-04-28",
        }
    }

    /// The name that RAM policies use for the product, as in `alb:CreateRules`.
    pub const fn ram_name(self) -> &'static str {
        match self {
            Self::Alb => "alb",
            Self::Cas => "yundun-cert",
            Self::Vpc => "vpc",
        }
    }

    /// Host name of the public endpoint in a region, such as `alb.cn-hangzhou.aliyuncs.com`.
    ///
    /// CAS has one central endpoint for the China site, which serves most regions. Accounts of the international site
    /// reach it at `cas.ap-southeast-1.aliyuncs.com`, which has to be set as an endpoint.
    pub fn host(self, region: &str) -> String {
        match self {
            Self::Cas => "cas.aliyuncs.com".to_owned(),
            Self::Alb | Self::Vpc => format!("{}.{region}.aliyuncs.com", self.name()),
        }
    }

    /// Host name of the endpoint inside a VPC, such as `alb-vpc.cn-hangzhou.aliyuncs.com`; the public one for products
    /// without such an endpoint.
    pub fn vpc_host(self, region: &str) -> String {
        match self {
            Self::Cas => self.host(region),
            Self::Alb | Self::Vpc => format!("{}-vpc.{region}.aliyuncs.com", self.name()),
        }
    }
}

/// What an operation does to its resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OperationKind {
    /// Changes nothing; repeating it is always safe.
    Read,
    /// Makes a resource, or adds a member or relation. Repeating it without a ClientToken may make a second one.
    Create,
    /// Sets attributes; repeating it leads to the same state.
    Update,
    /// Removes a resource, a member or a relation; repeating it may answer that it is gone.
    Delete,
}

impl OperationKind {
    /// Whether the operation leaves everything as it is.
    pub const fn is_read(self) -> bool {
        matches!(self, Self::Read)
    }
}

/// One operation of the OpenAPI: a value of the implementing type holds the request's parameters.
///
/// Serialising a request gives its parameters as nested JSON with the API's names; [`crate::flatten`] makes the wire
/// form of it.
pub trait Operation: Serialize + Send + Sync {
    /// The action's name, such as `CreateRules`.
    const ACTION: &'static str;
    /// The product it belongs to.
    const PRODUCT: Product;
    /// Top-level parameters that travel in the form body; all others are in the query string.
    const IN_BODY: &'static [&'static str];
    /// What it does.
    const KIND: OperationKind;
    /// Whether it has a `ClientToken`.
    const TAKES_CLIENT_TOKEN: bool = false;
    /// The answer.
    type Response: DeserializeOwned + Send;

    /// The request's `ClientToken`, if the operation has one. The API answers a repeated token with the first result,
    /// so whoever repeats a request after a lost response sets the same token again.
    fn client_token(&mut self) -> Option<&mut Option<String>> {
        None
    }
}

/// A read operation whose answer comes in pages.
pub trait Paged: Operation + Clone {
    /// One element of the list.
    type Item: Send;

    /// Asks for pages as great as the API allows, unless a size is set.
    fn widen(&mut self) {}

    /// Makes this request ask for the page after `response`. False when that was the last page.
    fn advance(&mut self, response: &Self::Response) -> bool;

    /// The page's elements.
    fn into_items(response: Self::Response) -> Vec<Self::Item>;
}

/// Defines structs as they travel: PascalCase names, every field defaulted when absent, unknown fields ignored.
macro_rules! shapes {
    ($($(#[$meta:meta])* $name:ident { $($(#[$fmeta:meta])* $field:ident: $ty:ty),* $(,)? })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "PascalCase", default)]
        pub struct $name { $($(#[$fmeta])* pub $field: $ty,)* }
    )*};
}

/// Defines operations without a `ClientToken`: `Name: Kind -> Response { parameters }`.
macro_rules! operations {
    ($product:ident; $($(#[$meta:meta])* $name:ident: $kind:ident -> $response:ty
        { $($(#[$fmeta:meta])* $field:ident: $ty:ty),* $(,)? })*) => {$(
        $crate::operation::shapes! { $(#[$meta])* $name { $($(#[$fmeta])* $field: $ty,)* } }

        impl $crate::Operation for $name {
            const ACTION: &'static str = stringify!($name);
            const PRODUCT: $crate::Product = $crate::Product::$product;
            const IN_BODY: &'static [&'static str] = &[];
            const KIND: $crate::OperationKind = $crate::OperationKind::$kind;
            type Response = $response;
        }
    )*};
}

/// Defines operations with `ClientToken` and `DryRun`: `Name: Kind -> Response, body ["Param"] { parameters }`.
macro_rules! changes {
    ($product:ident; $($(#[$meta:meta])* $name:ident: $kind:ident -> $response:ty $(, body [$($body:literal),*])?
        { $($(#[$fmeta:meta])* $field:ident: $ty:ty),* $(,)? })*) => {$(
        $crate::operation::shapes! { $(#[$meta])* $name {
            $($(#[$fmeta])* $field: $ty,)*
            /// Idempotence token, at most 64 ASCII characters. See [`crate::Operation::client_token`].
            client_token: Option<String>,
            /// Only check the request. The API reports success of a dry run as the error code `DryRunOperation`.
            dry_run: Option<bool>,
        } }

        impl $crate::Operation for $name {
            const ACTION: &'static str = stringify!($name);
            const PRODUCT: $crate::Product = $crate::Product::$product;
            const IN_BODY: &'static [&'static str] = &[$($($body),*)?];
            const KIND: $crate::OperationKind = $crate::OperationKind::$kind;
            const TAKES_CLIENT_TOKEN: bool = true;
            type Response = $response;

            fn client_token(&mut self) -> Option<&mut Option<String>> {
                Some(&mut self.client_token)
            }
        }
    )*};
}

/// Implements [`Paged`] for operations with `NextToken`: `Name => list_field: Item`.
macro_rules! paged_by_token {
    ($($name:ident => $list:ident: $item:ty;)*) => {$(
        impl $crate::Paged for $name {
            type Item = $item;

            fn widen(&mut self) {
                self.max_results.get_or_insert(100);
            }

            fn advance(&mut self, response: &Self::Response) -> bool {
                match response.next_token.as_deref() {
                    None | Some("") => false,
                    Some(token) => {
                        self.next_token = Some(token.to_owned());
                        true
                    }
                }
            }

            fn into_items(response: Self::Response) -> Vec<$item> {
                response.$list
            }
        }
    )*};
}

pub(crate) use {changes, operations, paged_by_token, shapes};
