//! Exact arithmetic on Kubernetes quantities.
