//! Client for the Alibaba Cloud ALB OpenAPI: ACS3-HMAC-SHA256 signing, typed operations, error classification
