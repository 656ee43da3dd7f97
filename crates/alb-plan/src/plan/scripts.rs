//! Programmable scripts of listeners.

use alb_model::{Listener, Script, Severity};

use super::Context;
use crate::observed::{ObservedListener, ObservedScript};
use crate::ownership::SCRIPT_PREFIX;
use crate::step::StepOp;

/// Scripts that one call deletes: as many as one may name to list them; for deletions nothing is documented.
const SCRIPTS_PER_DELETE: usize = 20;

impl Context<'_> {
    /// Creates, changes and deletes scripts. Scripts are found by their names; those without our prefix are somebody's.
    pub(super) fn scripts(&mut self, wanted: &Listener, found: Option<&ObservedListener>) {
        let listener = wanted.key();
        let there: &[ObservedScript] = match found.map(|found| found.scripts.as_deref()) {
            None => &[],
            Some(Some(scripts)) => scripts,
            Some(None) if wanted.scripts.is_empty() => return,
            Some(None) => {
                let message = format!(
                    "scripts of listener {}/{} cannot be listed, so that none is created or changed; allow alb:ListAScripts, \
                     or upgrade the load balancer if it is of edition Basic, which has no scripts",
                    listener.0, listener.1
                );
                let field = "spec.listeners[].aScriptConfig";
                self.report(Severity::Error, "ScriptsUnknown", field, message);
                return;
            }
        };
        let mut gone: Vec<&ObservedScript> = there
            .iter()
            .filter(|script| script.name.starts_with(SCRIPT_PREFIX))
            .collect();
        for script in &wanted.scripts {
            let script = Box::new(Script {
                name: format!("{SCRIPT_PREFIX}{}", script.name),
                ..script.clone()
            });
            let Some(at) = gone.iter().position(|found| found.name == script.name) else {
                self.steps.push(StepOp::CreateScript { listener, script }, []);
                continue;
            };
            let found = gone.remove(at);
            if found.content != script.content || found.enabled != script.enabled {
                let id = found.id.clone();
                self.steps.push(StepOp::UpdateScript { listener, id, script }, []);
            }
        }
        for gone in gone.chunks(SCRIPTS_PER_DELETE) {
            let ids = gone.iter().map(|script| script.id.clone()).collect();
            self.steps.push(StepOp::DeleteScripts { listener, ids }, []);
        }
    }
}
