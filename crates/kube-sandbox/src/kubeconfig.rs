//! The kubeconfig that leads clients to a sandbox.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const NAME: &str = "kube-sandbox";

/// Renders a kubeconfig with one context.
pub(crate) fn render(url: &str, ca_pem: Option<&str>, token: &str) -> String {
    let ca = ca_pem
        .map(|pem| format!("\n    certificate-authority-data: {}", STANDARD.encode(pem)))
        .unwrap_or_default();
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: {NAME}
  cluster:
    server: {url}{ca}
contexts:
- name: {NAME}
  context:
    cluster: {NAME}
    user: {NAME}
    namespace: default
current-context: {NAME}
users:
- name: {NAME}
  user:
    token: {token}
preferences: {{}}
"
    )
}
