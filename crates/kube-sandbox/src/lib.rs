//! In-memory Kubernetes API server for tests and demos: list, watch, patch, server-side apply, CRDs, kubectl
