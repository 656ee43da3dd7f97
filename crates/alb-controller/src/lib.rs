//! Kubernetes controller that makes ALB instances follow Ingress and AlbConfig objects
