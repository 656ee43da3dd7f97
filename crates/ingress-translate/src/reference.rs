//! Reference pages in Markdown, made from the tables that the code itself uses.

use std::fmt::Write;

use crate::{ANNOTATIONS, Code, Scope, Status};

/// The page about diagnostic codes.
pub fn diagnostics() -> String {
    let mut page = String::from(
        "# Diagnostics\n\n\
         Made from `ingress_translate::Code`; do not edit. Each code is the reason of a Kubernetes Event, a word in status\n\
         conditions, a metric label and the mark of a line of the command-line tool. Codes are stable.\n\n\
         *error*: the named part of the object does not work; everything else does. *warning*: something is ignored or done\n\
         differently. What ALB itself would refuse is told as `RuleInvalid`, with the model's own code at the end of the\n\
         message.\n\n\
         | Code | Severity | What has happened | What to do |\n|---|---|---|---|\n",
    );
    for info in Code::ALL {
        line(
            &mut page,
            &[
                info.code.as_str(),
                &info.severity.to_string(),
                info.meaning,
                info.fix,
            ],
        );
    }
    page
}

/// The page about annotations.
pub fn annotations() -> String {
    let mut page = String::from(
        "# Annotations\n\n\
         Made from `ingress_translate::ANNOTATIONS`; do not edit. Every key has the prefix `alb.ingress.kubernetes.io/`. Keys\n\
         marked *nginx* are also read with the prefix `nginx.ingress.kubernetes.io/`, which then wins. A value outside its\n\
         grammar is reported (`AnnotationInvalid`) and counts as absent, unless the message says otherwise; an unknown key\n\
         is reported with the nearest known one (`AnnotationUnknown`).\n",
    );
    for (scope, title) in [
        (Scope::Ingress, "On an Ingress, for its rules"),
        (Scope::PerService, "On an Ingress, for the paths of one Service"),
        (
            Scope::ServerGroup,
            "On an Ingress, for the server groups of its backends",
        ),
        (Scope::Instance, "On an Ingress, for a generated AlbConfig"),
        (Scope::Service, "On a Service"),
    ] {
        // Writing to a String cannot fail.
        let _ = write!(
            page,
            "\n## {title}\n\n| Key | Value | Default | Effect | Status |\n|---|---|---|---|---|\n"
        );
        for spec in ANNOTATIONS.iter().filter(|spec| spec.scope == scope) {
            let key = if scope == Scope::PerService {
                format!("`{}<service>`", spec.key)
            } else {
                format!("`{}`", spec.key)
            };
            let key = if spec.nginx { format!("{key} *nginx*") } else { key };
            let status = match spec.status {
                Status::Supported => "supported".to_owned(),
                Status::NotSupported(why) => format!("not supported: {why}"),
            };
            line(
                &mut page,
                &[
                    &key,
                    &spec.grammar.to_string(),
                    spec.default,
                    spec.effect,
                    &status,
                ],
            );
        }
    }
    page
}

fn line(page: &mut String, cells: &[&str]) {
    for cell in cells {
        page.push_str("| ");
        page.push_str(&cell.replace('|', "\\|"));
        page.push(' ');
    }
    page.push_str("|\n");
}
