//! Pure translation of Kubernetes Ingress objects into an ALB gateway, with diagnostics
