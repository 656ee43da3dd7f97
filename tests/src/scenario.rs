//! The changes under which the system is cut, disturbed and watched.

use anyhow::Result;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::Stack;
use crate::prefill;
use crate::probe::{NOBODY, Probe, fingerprint};

/// A change of a gateway for a shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// From nothing to everything.
    CreateAll,
    /// A path between two others, of an Ingress of its own.
    AddInTheMiddle,
    /// Half of the requests to another application instead of a tenth.
    WeightShift,
    /// Another certificate in the same Secret.
    CertificateChange,
    /// A listener goes.
    ListenerRemoval,
    /// A gateway of the open-source controller is taken over.
    Adopt,
    /// From everything to nothing.
    DeleteAll,
}

/// Names of the certificates in the scenarios.
#[derive(Debug)]
pub struct Certificates {
    shop: Pem,
    blog: Pem,
    renewed: Pem,
}

#[derive(Debug)]
struct Pem {
    certificate: String,
    key: String,
    name: String,
}

impl Certificates {
    /// Makes them.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn new() -> Result<Self> {
        let make = |host: &str| -> Result<Pem> {
            let made = rcgen::generate_simple_self_signed([host.to_owned()])?;
            Ok(Pem {
                certificate: made.cert.pem(),
                key: made.signing_key.serialize_pem(),
                name: fingerprint(made.cert.der()),
            })
        };
        Ok(Self {
            shop: make("shop.example.com")?,
            blog: make("blog.example.com")?,
            renewed: make("blog.example.com")?,
        })
    }
}

fn secret(name: &str, pem: &Pem) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": { "name": name, "namespace": "$NAME" },
        "stringData": { "tls.crt": pem.certificate, "tls.key": pem.key },
    })
}

fn ingress(name: &str, host: &str, paths: &[(&str, &str)], annotations: Value) -> Value {
    let paths: Vec<Value> = paths
        .iter()
        .map(|(path, service)| {
            json!({ "path": path, "pathType": "Prefix",
                    "backend": { "service": { "name": service, "port": { "number": 80 } } } })
        })
        .collect();
    let mut ingress = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "name": name, "namespace": "$NAME", "annotations": annotations },
        "spec": { "ingressClassName": "$NAME", "rules": [{ "host": host, "http": { "paths": paths } }] },
    });
    if ["shop", "blog"].contains(&name) {
        ingress["spec"]["tls"] = json!([{ "hosts": [host], "secretName": name }]);
    }
    ingress
}

/// Everything on both listeners.
fn both() -> Value {
    json!({ "alb.ingress.kubernetes.io/listen-ports": "[{\"HTTP\":80},{\"HTTPS\":443}]" })
}

fn canary(weight: u8) -> Value {
    let mut annotations = both();
    annotations["alb.ingress.kubernetes.io/canary"] = "true".into();
    annotations["alb.ingress.kubernetes.io/canary-weight"] = weight.to_string().into();
    annotations
}

fn albconfig(https: bool) -> Value {
    let mut listeners = vec![json!({ "port": 80, "protocol": "HTTP" })];
    if https {
        listeners.push(json!({
            "port": 443, "protocol": "HTTPS",
            "aclConfig": { "aclType": "White", "aclName": "office", "aclEntries": ["127.0.0.0/8"] },
            "aScriptConfig": [{ "aScriptName": "guard", "scriptContent": "if true {}", "enabled": true }],
        }));
    }
    json!({
        "apiVersion": "alibabacloud.com/v1", "kind": "AlbConfig",
        "metadata": { "name": "$NAME" },
        "spec": {
            "config": {
                "name": "$NAME",
                "zoneMappings": [{ "vSwitchId": "vsw-sim-a" }, { "vSwitchId": "vsw-sim-b" }],
            },
            "listeners": listeners,
        },
    })
}

fn class() -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": { "name": "$NAME" },
        "spec": { "controller": "ingress.k8s.alibabacloud/alb", "parameters": {
            "apiGroup": "alibabacloud.com", "kind": "AlbConfig", "name": "$NAME", "scope": "Cluster",
        } },
    })
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::CreateAll,
        Self::AddInTheMiddle,
        Self::WeightShift,
        Self::CertificateChange,
        Self::ListenerRemoval,
        Self::Adopt,
        Self::DeleteAll,
    ];

    /// Those that `SCENARIOS` names, separated by commas, such as `SCENARIOS=Adopt,DeleteAll`; all of them by default.
    ///
    /// # Panics
    /// On a name that no scenario has.
    pub fn chosen() -> Vec<Self> {
        let Ok(names) = std::env::var("SCENARIOS") else {
            return Self::ALL.to_vec();
        };
        let named = |name: &str| Self::ALL.into_iter().find(|s| format!("{s:?}") == name);
        names
            .split(',')
            .map(|name| {
                named(name).unwrap_or_else(|| panic!("no scenario {name:?}; there are {:?}", Self::ALL))
            })
            .collect()
    }

    /// Whether the controller runs and has converged before the change; else its start is the change.
    pub fn starts_converged(self) -> bool {
        !matches!(self, Self::CreateAll | Self::Adopt)
    }

    /// What is there before the change.
    ///
    /// # Errors
    /// What an API refuses.
    pub async fn prepare(self, stack: &mut Stack, certificates: &Certificates) -> Result<()> {
        self.objects(stack, certificates).await?;
        if self == Self::Adopt {
            prefill::open_source_gateway(stack, "", prefill::Servers::Addresses).await?;
        }
        Ok(())
    }

    /// The objects that are there before the change.
    ///
    /// # Errors
    /// What an API refuses.
    pub async fn objects(self, stack: &mut Stack, certificates: &Certificates) -> Result<()> {
        stack.application("cart", &["10.0.1.1"]).await?;
        stack.application("shop", &["10.0.2.1", "10.0.2.2"]).await?;
        stack.application("blog", &["10.0.3.1"]).await?;
        stack.application("api", &["10.0.4.1"]).await?;
        let https = self != Self::Adopt;
        let annotations = || if https { both() } else { json!({}) };
        let mut objects = vec![albconfig(https), class()];
        if https {
            objects.push(secret("shop", &certificates.shop));
            objects.push(secret("blog", &certificates.blog));
        }
        let mut ingresses = vec![
            // In the order of their names: creation times have seconds, and the name decides between equal ones.
            ingress("blog", "blog.example.com", &[("/", "blog")], annotations()),
            ingress(
                "shop",
                "shop.example.com",
                &[("/cart", "cart"), ("/", "shop")],
                annotations(),
            ),
        ];
        if self == Self::Adopt {
            for ingress in &mut ingresses {
                ingress["spec"]["tls"] = Value::Null;
            }
        }
        objects.extend(ingresses);
        if self == Self::WeightShift {
            objects.push(ingress(
                "shop-canary",
                "shop.example.com",
                &[("/", "api")],
                canary(10),
            ));
        }
        stack.apply_values(&objects).await
    }

    /// The change.
    ///
    /// # Errors
    /// What an API refuses.
    pub async fn act(self, stack: &mut Stack, certificates: &Certificates) -> Result<()> {
        match self {
            Self::CreateAll | Self::Adopt => stack.start_controller().await,
            Self::AddInTheMiddle => {
                let api = ingress("shop-api", "shop.example.com", &[("/api", "api")], both());
                stack.apply_values(&[api]).await
            }
            Self::WeightShift => {
                let canary = ingress("shop-canary", "shop.example.com", &[("/", "api")], canary(50));
                stack.apply_values(&[canary]).await
            }
            Self::CertificateChange => stack.apply_values(&[secret("blog", &certificates.renewed)]).await,
            Self::ListenerRemoval => {
                let listeners = json!({ "spec": { "listeners": albconfig(false)["spec"]["listeners"] } });
                let albconfigs = Api::<albconfig_crd::AlbConfig>::all(stack.kube.clone());
                albconfigs
                    .patch(&stack.name, &PatchParams::default(), &Patch::Merge(&listeners))
                    .await?;
                Ok(())
            }
            Self::DeleteAll => {
                use k8s_openapi::api::networking::v1::Ingress;
                let albconfigs = Api::<albconfig_crd::AlbConfig>::all(stack.kube.clone());
                albconfigs.delete(&stack.name, &DeleteParams::default()).await?;
                let ingresses = Api::<Ingress>::namespaced(stack.kube.clone(), &stack.name);
                for name in ["shop", "blog"] {
                    ingresses.delete(name, &DeleteParams::default()).await?;
                }
                Ok(())
            }
        }
    }

    /// Requests with their old and new answers.
    pub fn probes(self, certificates: &Certificates) -> Vec<Probe> {
        let (shop, blog, renewed) = (
            &certificates.shop.name,
            &certificates.blog.name,
            &certificates.renewed.name,
        );
        let mut probes = vec![
            ("http://shop.example.com/", "200 shop".to_owned()),
            ("http://shop.example.com/cart/1", "200 cart".to_owned()),
            ("http://shop.example.com/api/1", "200 shop".to_owned()),
            ("http://blog.example.com/", "200 blog".to_owned()),
            ("http://other.example.com/", "404".to_owned()),
        ];
        if self != Self::Adopt {
            probes.push(("https://shop.example.com/api/1", format!("200 shop {shop}")));
            probes.push(("https://blog.example.com/", format!("200 blog {blog}")));
        }
        let probe = |(url, answer): (&'static str, String)| {
            let https = url.starts_with("https");
            match self {
                // A new listener answers with its empty default group until it has its rules.
                Self::CreateAll if https => {
                    let default = format!("{NOBODY} | 503 {shop} | 503 {blog}");
                    Probe::new(url, &default, &answer)
                }
                Self::CreateAll => Probe::new(url, &format!("{NOBODY} | 503"), &answer),
                // Its Ingress may be seen to go before the rest.
                Self::DeleteAll if https => {
                    let gone = format!("{NOBODY} | 404 {shop} | 404 {blog}");
                    Probe::new(url, &answer, &gone)
                }
                Self::DeleteAll => Probe::new(url, &answer, &format!("{NOBODY} | 404")),
                Self::ListenerRemoval if https => Probe::new(url, &answer, NOBODY),
                Self::AddInTheMiddle if url.contains("/api/") => {
                    Probe::new(url, &answer, &answer.replace("shop", "api"))
                }
                Self::WeightShift if answer.starts_with("200 shop") => {
                    let either = format!("{answer} | {}", answer.replace("shop", "api"));
                    Probe::new(url, &either, &either)
                }
                Self::CertificateChange => Probe::new(url, &answer, &answer.replace(&**blog, renewed)),
                // The open-source controller leaves unmatched requests to an empty group; ours says 404.
                Self::Adopt if answer == "404" => Probe::new(url, "503", &answer),
                _ => Probe::new(url, &answer, &answer),
            }
        };
        probes.into_iter().map(probe).collect()
    }
}
