//! Minimal, hitless and crash-safe plans of ALB API calls from an observed to a desired gateway
