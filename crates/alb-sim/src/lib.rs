//! Simulator of the Alibaba Cloud ALB: signed OpenAPI, asynchronous jobs, and a data plane that forwards real HTTP
