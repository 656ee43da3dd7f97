//! An ALB as others leave it behind: the open-source ALB ingress controller, or a person.

use std::time::Duration;

use alb_api::{Client, Operation, alb};
use anyhow::{Context, Result};
use examples::stack;

use crate::Stack;

const POLL: Duration = Duration::from_millis(2);
const LIMIT: Duration = Duration::from_secs(20);

fn tag(key: &str, value: &str) -> alb::Tag {
    alb::Tag {
        key: key.into(),
        value: value.into(),
    }
}

/// Waits for the job of an answer.
async fn settled(client: &Client, job: Option<String>) -> Result<()> {
    if let Some(job) = job {
        client.wait_job(&job, POLL, LIMIT).await?;
    }
    Ok(())
}

/// A rule of one host and one or more paths.
pub fn rule(priority: i32, name: &str, host: &str, paths: &[&str], group: &str) -> alb::CreateRulesRule {
    let condition = |kind: &str| alb::RuleCondition {
        kind: kind.into(),
        ..alb::RuleCondition::default()
    };
    alb::CreateRulesRule {
        priority,
        rule_name: name.into(),
        rule_conditions: vec![
            alb::RuleCondition {
                host_config: Some(alb::Values {
                    values: vec![host.into()],
                }),
                ..condition("Host")
            },
            alb::RuleCondition {
                path_config: Some(alb::Values {
                    values: paths.iter().map(|path| (*path).to_owned()).collect(),
                }),
                ..condition("Path")
            },
        ],
        rule_actions: vec![alb::RuleAction {
            kind: "ForwardGroup".into(),
            order: 1,
            forward_group_config: Some(alb::ForwardGroupConfig {
                server_group_tuples: vec![alb::ServerGroupTuple {
                    server_group_id: group.into(),
                    weight: Some(100),
                }],
                ..Default::default()
            }),
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// A load balancer without listeners, protected as the open-source controller protects its own.
///
/// # Errors
/// What the API refuses.
pub async fn load_balancer(client: &Client, name: &str, tags: Vec<alb::Tag>) -> Result<String> {
    let wanted = alb::CreateLoadBalancer {
        deletion_protection_enabled: Some(true),
        modification_protection_config: Some(alb::ModificationProtectionConfig {
            status: Some("ConsoleProtection".into()),
            reason: Some("Managed by ACK".into()),
        }),
        tag: tags,
        ..plain_load_balancer(name)
    };
    create(client, &wanted).await
}

/// A load balancer as somebody makes it by hand, with a listener on port 80 and an empty server group for it.
///
/// # Errors
/// What the API refuses.
pub async fn load_balancer_by_hand(client: &Client, name: &str) -> Result<String> {
    let id = create(client, &plain_load_balancer(name)).await?;
    let group = server_group(client, name, Vec::new(), &[]).await?;
    listener(client, &id, 80, "by hand", &group).await?;
    Ok(id)
}

fn plain_load_balancer(name: &str) -> alb::CreateLoadBalancer {
    let zone = |vswitch: &str, zone: &str| alb::ZoneMapping {
        vswitch_id: vswitch.into(),
        zone_id: zone.into(),
        ..Default::default()
    };
    alb::CreateLoadBalancer {
        address_type: "Internet".into(),
        vpc_id: "vpc-sim".into(),
        load_balancer_edition: "Standard".into(),
        load_balancer_name: Some(name.into()),
        load_balancer_billing_config: alb::LoadBalancerBillingConfig {
            pay_type: "PostPay".into(),
            ..Default::default()
        },
        zone_mappings: vec![
            zone("vsw-sim-a", "cn-hangzhou-h"),
            zone("vsw-sim-b", "cn-hangzhou-i"),
        ],
        ..Default::default()
    }
}

/// Makes a load balancer and waits until it is active.
async fn create(client: &Client, wanted: &alb::CreateLoadBalancer) -> Result<String> {
    let id = client.send(wanted).await?.load_balancer_id;
    let get = alb::GetLoadBalancerAttribute {
        load_balancer_id: id.clone(),
    };
    stack::until("the load balancer to be active", LIMIT, || async {
        let found = client.send(&get).await?;
        Ok((found.load_balancer.load_balancer_status == "Active").then_some(()))
    })
    .await?;
    Ok(id)
}

/// What a server group's servers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Servers {
    /// Addresses, in a group of type `Ip`.
    Addresses,
    /// In a group of type `Instance`: the first an ECS instance, which [`Servers::instance`] names, all others network
    /// interfaces with their addresses.
    Instances,
}

impl Servers {
    fn group_type(self) -> &'static str {
        match self {
            Self::Addresses => "Ip",
            Self::Instances => "Instance",
        }
    }

    /// Id of the ECS instance of an address.
    pub fn instance(address: &str) -> String {
        format!("i-{}", address.replace('.', "-"))
    }

    fn server(self, index: usize, address: &str) -> alb::BackendServer {
        let (server_type, id, ip) = match (self, index) {
            (Self::Addresses, _) => ("Ip", address.to_owned(), Some(address.to_owned())),
            (Self::Instances, 0) => ("Ecs", Self::instance(address), None),
            (Self::Instances, _) => {
                let id = format!("eni-{}", address.replace('.', "-"));
                ("Eni", id, Some(address.to_owned()))
            }
        };
        alb::BackendServer {
            server_id: id,
            server_ip: ip,
            server_type: server_type.into(),
            port: Some(8080),
            weight: Some(100),
            ..Default::default()
        }
    }
}

/// A server group with servers by address, port 8080.
///
/// # Errors
/// What the API refuses.
pub async fn server_group(
    client: &Client,
    name: &str,
    tags: Vec<alb::Tag>,
    servers: &[&str],
) -> Result<String> {
    server_group_of(client, name, tags, Servers::Addresses, servers).await
}

async fn server_group_of(
    client: &Client,
    name: &str,
    tags: Vec<alb::Tag>,
    kind: Servers,
    servers: &[&str],
) -> Result<String> {
    let made = client
        .send(&alb::CreateServerGroup {
            server_group_name: name.into(),
            server_group_type: Some(kind.group_type().into()),
            protocol: Some("HTTP".into()),
            scheduler: Some("Wrr".into()),
            vpc_id: Some("vpc-sim".into()),
            health_check_config: alb::HealthCheckConfig {
                health_check_enabled: false,
                ..Default::default()
            },
            tag: tags,
            ..Default::default()
        })
        .await?;
    settled(client, made.job_id).await?;
    let group = made.server_group_id;
    if !servers.is_empty() {
        let servers = servers.iter().enumerate();
        let added = client
            .send(&alb::AddServersToServerGroup {
                server_group_id: group.clone(),
                servers: servers
                    .map(|(index, address)| kind.server(index, address))
                    .collect(),
                ..Default::default()
            })
            .await?;
        settled(client, added.job_id).await?;
    }
    Ok(group)
}

/// A plain HTTP listener.
///
/// # Errors
/// What the API refuses.
pub async fn listener(
    client: &Client,
    load_balancer_id: &str,
    port: i32,
    description: &str,
    default_group: &str,
) -> Result<String> {
    let made = client
        .send(&alb::CreateListener {
            load_balancer_id: load_balancer_id.into(),
            listener_port: port,
            listener_protocol: "HTTP".into(),
            listener_description: Some(description.into()),
            default_actions: vec![alb::DefaultAction {
                kind: "ForwardGroup".into(),
                forward_group_config: alb::DefaultForwardGroupConfig {
                    server_group_tuples: vec![alb::ServerGroupTarget {
                        server_group_id: default_group.into(),
                    }],
                },
            }],
            ..Default::default()
        })
        .await?;
    settled(client, made.job_id).await?;
    Ok(made.listener_id)
}

/// Rules, in one call.
///
/// # Errors
/// What the API refuses.
pub async fn rules(client: &Client, listener_id: &str, rules: Vec<alb::CreateRulesRule>) -> Result<()> {
    let made = client
        .send(&alb::CreateRules {
            listener_id: listener_id.into(),
            rules,
            ..Default::default()
        })
        .await?;
    settled(client, made.job_id).await
}

/// Makes a change and waits for its job, whose id `job` finds in the answer.
///
/// # Errors
/// What the API refuses.
pub async fn change<O: Operation>(
    client: &Client,
    operation: &O,
    job: impl Fn(O::Response) -> Option<String>,
) -> Result<()> {
    let job = job(client.send(operation).await.context(O::ACTION)?);
    settled(client, job).await
}

/// What the open-source controller makes of the two Ingresses of the scenarios: its tags, a server group for each
/// Ingress and Service named `ns-svc-port` whose resource tag is a digest, rules with positional priorities from 1.
///
/// # Errors
/// What the API refuses.
pub async fn open_source_gateway(stack: &Stack, name_suffix: &str, kind: Servers) -> Result<String> {
    let client = stack::alb_client(&stack.sim)?;
    let name = stack.name.as_str();
    let owner = || {
        vec![
            tag("ack.aliyun.com", name),
            tag("ingress.k8s.alibaba/albconfig", &format!("kube-system/{name}")),
        ]
    };
    let mut lb_tags = owner();
    lb_tags.push(tag("ingress.k8s.alibaba/resource", "ApplicationLoadBalancer"));
    let lb = load_balancer(&client, &format!("{name}{name_suffix}"), lb_tags).await?;
    let group = async |ingress: &str, service: &str, number: u8, servers: &[&str]| {
        let mut tags = owner();
        tags.extend([
            tag("ingress.k8s.alibaba/resource", &format!("{number:064x}")),
            tag("ingress.k8s.alibaba/service_ns", name),
            tag("ingress.k8s.alibaba/service_name", service),
            tag("ingress.k8s.alibaba/service_port", "80"),
            tag("ingress.k8s.alibaba/ingress_name", ingress),
        ]);
        server_group_of(&client, &format!("{name}-{service}-80"), tags, kind, servers).await
    };
    let cart = group("shop", "cart", 1, &["10.0.1.1"]).await?;
    let shop = group("shop", "shop", 2, &["10.0.2.1", "10.0.2.2"]).await?;
    let blog = group("blog", "blog", 3, &["10.0.3.1"]).await?;
    let mut empty = owner();
    empty.push(tag("ingress.k8s.alibaba/resource", &format!("{:064x}", 4)));
    let empty = server_group_of(&client, "k8s-default-fake-0", empty, kind, &[]).await?;
    let http = listener(&client, &lb, 80, "ingress-auto-listener-80", &empty).await?;
    let all = vec![
        rule(1, "rule-80-1", "blog.example.com", &["/*"], &blog),
        rule(2, "rule-80-2", "shop.example.com", &["/cart", "/cart/*"], &cart),
        rule(3, "rule-80-3", "shop.example.com", &["/*"], &shop),
    ];
    rules(&client, &http, all).await?;
    Ok(lb)
}
