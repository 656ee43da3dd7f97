//! Translation from Ingresses to a gateway: speed, allocations, and the rules that compaction saves.
//!
//! The cluster is that of the translator's own tests: teams of 30 rules in seven Ingresses, with 16 Services (see
//! `corpus.rs` there for the composition).

mod change;
mod compaction;
#[path = "../../../crates/ingress-translate/tests/common/corpus.rs"]
#[allow(dead_code, unreachable_pub)]
mod corpus;
mod naive;
mod routing;
mod scratch;

use std::time::{Duration, Instant};

use albconfig_crd::{AlbConfig, AlbConfigSpec};
use ingress_translate::Settings;
use serde_json::json;

use crate::report::{Row, Wanted};

/// What the builder of the open-source ALB Ingress controller takes for each rule on this class of machine,
/// microseconds: measured once outside of this program, about.
const OTHER_BUILDER_US: f64 = 10.0;
/// Its allocations for each rule, about.
const OTHER_BUILDER_ALLOCATIONS: f64 = 65.0;
const OTHER_BUILDER: &str = "open-source controller's builder (noted, not run)";

/// Measures everything. Takes about half a minute.
pub fn rows(_: &Wanted) -> anyhow::Result<Vec<Row>> {
    let mut rows = scratch::rows()?;
    rows.extend(change::rows()?);
    rows.extend(routing::rows()?);
    rows.extend(compaction::rows()?);
    Ok(rows)
}

/// An AlbConfig with listeners 80/HTTP and 443/HTTPS.
fn albconfig(name: &str) -> anyhow::Result<AlbConfig> {
    let spec: AlbConfigSpec = serde_json::from_value(json!({
        "config": {"zoneMappings": [{"vSwitchId": "vsw-1", "zoneId": "z-1"}, {"vSwitchId": "vsw-2", "zoneId": "z-2"}]},
        "listeners": [
            {"port": 80, "protocol": "HTTP"},
            {"port": 443, "protocol": "HTTPS", "certificates": [{"CertificateId": "1-cn-hangzhou"}]}
        ]
    }))?;
    Ok(AlbConfig::new(name, spec))
}

fn settings() -> Settings {
    Settings {
        cluster_id: "c1".into(),
        vpc_id: "vpc-1".into(),
        ..Settings::default()
    }
}

/// The median duration of some runs, after one that does not count.
fn median<T>(runs: usize, mut run: impl FnMut() -> T) -> Duration {
    std::hint::black_box(run());
    let mut times: Vec<Duration> = (0..runs.max(1))
        .map(|_| {
            let start = Instant::now();
            let result = run();
            let time = start.elapsed();
            // Giving memory back is not part of it.
            drop(std::hint::black_box(result));
            time
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

fn us(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
