//! The AlbConfig custom resource (alibabacloud.com/v1): types, structural schema, defaults, validation
