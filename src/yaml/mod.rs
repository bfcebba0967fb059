//! YAML text: documents, values as go-yaml reads them, spans, scalars and edits. Knows no Kubernetes.
